'use strict';
// Preloaded into threads: gives Lua two calendar years that break its machine, since no script is known that can. The year 7777 is a trap of
// WebAssembly inside the machine's C library, 7778 what C's `abort` does.
const TM_YEAR = 5;
const unreachable = new WebAssembly.Instance(
  new WebAssembly.Module(
    Uint8Array.from([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, 5, 1, 3, 0, 0, 11,
    ]),
  ),
).exports.t;

WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct(Instance, [module, imports]) {
    const env = imports?.env;
    if (env?._mktime_js === undefined) return new Instance(module, imports);
    const { _mktime_js: makeTime, abort } = env;
    env._mktime_js = (time) => {
      const year = 1900 + new Int32Array(instance.exports.memory.buffer)[(time >> 2) + TM_YEAR];
      if (year === 7777) unreachable();
      if (year === 7778) abort();
      return makeTime(time);
    };
    const instance = new Instance(module, imports);
    return instance;
  },
});
