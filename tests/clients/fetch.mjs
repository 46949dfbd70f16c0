// Loops of fetches, over one pool of connections or each over its own.
// Usage: fetch.mjs UNDICI URL pool|own LOOPS TIMES FIRST LULL
//
// A server may close a connection that has said nothing for FIRST ms, or nothing for LULL ms since its last answer.
// Where this process gets to its next request so late that it crosses the close, it must try again: such failures are
// counted apart.

import { subscribe } from "node:diagnostics_channel";

const [undici, url, kind, ...numbers] = process.argv.slice(2);
const [loops, times, first, lull] = numbers.map(Number);
const { fetch, Agent, Client } = await import(undici).then(module => module.default);

// When the last request and the one before it were sent on a connection: its answer may have waited here to be read.
const sent = new WeakMap(), byPort = new Map();
subscribe("undici:client:sendHeaders", ({ socket }) => {
  sent.set(socket, [performance.now(), sent.get(socket)?.[0]]);
  byPort.set(socket.localPort, sent.get(socket));
});

function isLate(error, begun) {
  const [last, before] = byPort.get(error.cause?.socket?.localPort) ?? [begun, begun];
  return before === undefined ? last - begun > 0.7 * first : last - before > 0.7 * lull;
}

let failed = 0, late = 0;
const reasons = new Set();

async function get(dispatcher) {
  const response = await fetch(url, { dispatcher });
  if (!response.ok || await response.text() !== "hello") throw new Error(`status ${response.status}`);
}

async function loop(dispatcher) {
  for (let i = 0; i < times; i++) {
    const begun = performance.now();
    await get(dispatcher).catch(error => {
      if (isLate(error, begun)) {
        late++;
      } else {
        failed++;
        reasons.add(String(error.cause ?? error));
      }
    });
  }
}

const pool = new Agent();
await get(pool);
await Promise.all(Array.from({ length: loops }, () => loop(kind === "pool" ? pool : new Client(new URL(url).origin))));
console.error(`${late} of ${loops * times} too late`);
console.log([`${failed} of ${loops * times} failed`, ...reasons].join("\n"));
process.exit();
