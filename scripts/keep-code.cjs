// Preloaded when the command is run once after it was built: keeps the code that V8 has made of its programs by their end.
'use strict';
const { writeFileSync } = require('node:fs');
const { basename } = require('node:path');
const threads = require('node:worker_threads');
const vm = require('node:vm');

vm.Script = class extends vm.Script {
  constructor(source, { filename }) {
    super(source, { filename });
    const { keptCodeFile } = require('../bin/load.js');
    atEnd(() => writeFileSync(keptCodeFile(basename(filename, '.cjs')), this.createCachedData()));
  }
};

/** A thread is ended by the one that gets its message. */
function atEnd(keep) {
  if (threads.isMainThread) return process.once('exit', keep);
  const { parentPort } = threads;
  const post = parentPort.postMessage.bind(parentPort);
  parentPort.postMessage = (message) => {
    keep();
    post(message);
  };
}

threads.Worker = class extends threads.Worker {
  constructor(file, options) {
    super(file, { ...options, execArgv: ['--require', __filename] });
  }
};
