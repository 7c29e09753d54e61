import { Command } from 'commander';
import { declareBackup } from './declare/backup.js';
import { declareCompletion } from './declare/completion.js';
import { declareConfig } from './declare/config.js';
import { declareEditors } from './declare/editors.js';
import { declareMigrate } from './declare/migrate.js';
import { declareScripts, declareTests } from './declare/scripts.js';
import { declareState } from './declare/state.js';
import { type Invocation, usageError } from './define.js';
import { addGlobalOptions } from './globals.js';
import { printHelp } from './output.js';

/** The whole command line, declared; what each command does is loaded when it runs. */
export function createProgram(invocation: Invocation): Command {
  const program = new Command('llmspell')
    .description('Runs Lua scripts that keep state, and backs that state up.')
    .usage('[options] COMMAND')
    .helpCommand('help [command]', 'print the help of a command')
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {}, writeErr: () => {}, writeOut: printHelp });
  program.exitOverride((error) => {
    throw usageError(error, program);
  });
  addGlobalOptions(program, { hidden: false });
  declareScripts(program, invocation);
  declareTests(program, invocation);
  declareState(program, invocation);
  declareBackup(program, invocation);
  declareMigrate(program, invocation);
  declareConfig(program, invocation);
  declareEditors(program, invocation);
  declareCompletion(program, invocation);
  return program;
}
