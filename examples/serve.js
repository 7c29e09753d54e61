// Runs Lua over HTTP: POST a script, get what it prints. Each request has a machine of its own, all of them one state.
//
//   node examples/serve.js [port]
//   curl --data-binary 'print(State.increment("visits"))' http://127.0.0.1:8080/
import { createServer } from 'node:http';
import { openHost } from 'llmspell';

const MOST_BYTES = 1_000_000;
const host = await openHost({
  settings: {
    engines: { lua: { sandbox_mode: true } },
    runtime: { script_timeout_seconds: 10, max_concurrent_scripts: 4, state_persistence: { backend_type: 'memory' } },
  },
  warm: true,
});

const server = createServer((request, response) => void answer(request, response));

async function answer(request, response) {
  // Whoever hangs up ends his script.
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    const source = await bodyOf(request);
    const printed = [];
    const { error } = await host.run({
      source,
      signal: gone.signal,
      output: (_stream, bytes) => printed.push(Buffer.from(bytes)),
    });
    response.writeHead(error ? 422 : 200, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(Buffer.concat([...printed, Buffer.from(error ? `${error.code}: ${error.message}\n` : '')]));
  } catch (error) {
    if (!response.headersSent) response.writeHead(error.status ?? 500).end(`${error.message}\n`);
  }
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BYTES) throw Object.assign(new Error('The script is too large.'), { status: 413 });
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    server.close(() => void host.close());
    server.closeIdleConnections();
  });
