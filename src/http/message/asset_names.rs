//! Which names are those of assets: files that a page fetches or a person downloads, and no addresses of pages. For
//! sites whose application answers for the addresses that are not files.
//!
//! Names with a media type are those of assets already (`conf/mime.types`); here stand others. No single letters, no
//! numbers, no domains and no common words: `/v1.2`, `/user/john.doe`, `/site/example.com`, `/docs/event.key` are
//! addresses.

use super::mime;

/// Extensions without a media type, in lower case.
const EXTENSIONS: &[&str] = &[
    // Shaders, textures, look-up tables.
    "glsl vert frag geom tesc tese vs fs wgsl hlsl fx spv dds tga pvr astc pkm ktx ktx2 basis exr hdr rgbe \
     cube ies fnt icns icc jxr jpx dng xcf",
    // Scenes, models, animations, games.
    "fbx dae drc ply 3ds 3dm blend vox vrm pmx pmd vmd bvh usd usda usdc x3d ifc iges igs dxf dwg splat ksplat \
     spz pcd las laz e57 b3dm i3dm pnts cmpt subtree terrain czml splinecode riv lottie skel atlas moc moc3 \
     mtn tmx tmj ldtk ase aseprite plist unityweb unity3d assetbundle mem pck wad pak nes gba sfc smc rom scn \
     tscn gdc sf2 sf3 s3m",
    // Data, models of machine learning, maps.
    "data db db3 duckdb mdb json5 jsonc hjson avro npy npz pkl h5 hdf5 onnx ort tflite safetensors gguf ggml \
     traineddata binarypb pbf mbtiles shp shx dbf prj osm fits xlsm xlsb csl ttl n3 owl proto graphql gql dtd \
     rng wsdl properties ftl arb xlf xliff resx aff dic",
    // Sources that tools compile, and pages fetch while they are developed.
    "vue svelte astro jsx tsx cts es6 es5 coffee elm scss sass less styl pcss postcss hbs handlebars mustache \
     ejs pug jade haml twig njk liquid tpl tmpl mdx rst adoc asciidoc mdown mkd wat wast blat webc riot py pyc \
     rb lua java cpp hpp ps1 psm1 bat cmd bash zsh vbs",
    // Programs on a server, which a server of files has none of.
    "php php3 php4 php5 php7 php8 phtml phar asp aspx ashx asmx asax ascx axd cshtml vbhtml jsp jspx jspa jsf \
     cfm cfc cgi fcgi dhtml",
    // Fonts, sound, film, subtitles.
    "pfb pfm afm bdf pcf dfont ac3 eac3 caf ape wv f4v f4m vob rmvb ivf h264 m2t ssa lrc ttml dfxp sbv ismc",
    // Documents, books, packages, sums, and what stays behind.
    "azw3 fb2 hwp md5 sha1 sha256 sha512 minisig pkg ipa aab appx msixbundle appimage nupkg whl egg vsix bz \
     lz4 tzst zipx appcache manifest xap bak orig swp swo tmp dump p12 pfx csr jks env",
];

fn extensions() -> impl Iterator<Item = &'static str> {
    EXTENSIONS.iter().flat_map(|group| group.split(' '))
}

/// Whether the extension of the uri is that of an asset without a media type.
pub fn has_asset_name(uri: &[u8]) -> bool {
    mime::extension(uri)
        .is_some_and(|extension| extensions().any(|known| extension.eq_ignore_ascii_case(known.as_bytes())))
}

/// Whether a segment of the uri begins with a dot: no application calls a page so, and `/.well-known/` is for programs
/// (RFC 8615).
pub fn has_hidden_segment(uri: &[u8]) -> bool {
    uri.windows(2).any(|pair| pair == b"/.")
}

/// The uri without the parameters of its last segment: `/x.mjs` of `/x.mjs;v=1`, and of `/x.mjs%3Fv=1`.
pub fn without_parameters(uri: &[u8]) -> &[u8] {
    let segment = memchr::memrchr(b'/', uri).unwrap_or(0);
    let end = memchr::memchr3(b';', b'?', b'#', &uri[segment..]);
    &uri[..end.map_or(uri.len(), |at| segment + at)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_told_from_a_route() {
        for name in
            ["a.glsl", "b/c.VERT", "a.frag", "a.dds", "a.data", "a.vue", "a.jsx", "a.tsx", "a.php", "a.asp", "a.aspx"]
        {
            assert!(has_asset_name(name.as_bytes()), "{name}");
        }
        for name in
            ["/v1.2", "/user/john.doe", "/site/example.com", "/@scope/socket.io", "/a.html", "/x", "/php", "/a.php/b"]
        {
            assert!(!has_asset_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn each_extension_stands_once_and_in_lower_case() {
        for (at, extension) in extensions().enumerate() {
            assert!(extension.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{extension}");
            assert!(!extension.is_empty() && extensions().take(at).all(|other| other != extension), "{extension}");
        }
    }

    #[test]
    fn parameters_are_those_of_the_last_segment() {
        for (uri, path) in [
            ("/x.mjs;v=1", "/x.mjs"),
            ("/x.mjs?v=1.2", "/x.mjs"),
            ("/a;b=1/c.js", "/a;b=1/c.js"),
            ("/a;b=1/c.js;d", "/a;b=1/c.js"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(without_parameters(uri.as_bytes()), path.as_bytes(), "{uri}");
        }
        assert!(
            has_hidden_segment(b"/.well-known/x") && has_hidden_segment(b"/a/.env") && !has_hidden_segment(b"/a.b/c")
        );
    }
}
