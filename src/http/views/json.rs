//! Writes JSON (RFC 8259).

/// A JSON text in the making; commas come by themselves.
#[derive(Default)]
pub(crate) struct Json {
    out: String,
    /// Something stands before the next value, in the same object or array.
    follows: bool,
}

impl Json {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn begin_value(&mut self) {
        if self.follows {
            self.out.push(',');
        }
        self.follows = true;
    }

    /// The name of the value that comes next.
    pub(crate) fn key(&mut self, name: &str) -> &mut Json {
        self.text(name);
        self.out.push(':');
        self.follows = false;
        self
    }

    pub(crate) fn number(&mut self, value: u64) {
        self.begin_value();
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    /// A number in decimals, which must be finite.
    pub(crate) fn decimal(&mut self, value: f64) {
        self.begin_value();
        self.out.push_str(&value.to_string());
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.begin_value();
        self.out.push_str(if value { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self) {
        self.begin_value();
        self.out.push_str("null");
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.begin_value();
        self.out.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\0'..='\x1f' => self.out.push_str(&format!("\\u{:04x}", c as u32)),
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    /// An object: braces around the output of `fill`.
    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.nest('{', '}', fill);
    }

    /// An array: brackets around the output of `fill`.
    pub(crate) fn array(&mut self, fill: impl FnOnce(&mut Json)) {
        self.nest('[', ']', fill);
    }

    fn nest(&mut self, open: char, close: char, fill: impl FnOnce(&mut Json)) {
        self.begin_value();
        self.out.push(open);
        self.follows = false;
        fill(self);
        self.out.push(close);
        self.follows = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_serde() {
        let mut json = Json::default();
        let nasty = "a\"b\\c\n\t\u{0}\u{1f}é\u{1F600}";
        json.object(|json| {
            json.key("text").text(nasty);
            json.key("empty").array(|_| {});
            json.key("list").array(|json| {
                json.number(u64::MAX);
                json.decimal(0.000_001);
                json.object(|json| json.key("in").null());
                json.flag(true);
            });
            json.key(nasty).object(|_| {});
        });
        let read: serde_json::Value = serde_json::from_slice(&json.into_bytes()).unwrap();
        let expected =
            serde_json::json!({"text": nasty, "empty": [], "list": [u64::MAX, 1e-6, {"in": null}, true], nasty: {}});
        assert_eq!(read, expected);
    }
}
