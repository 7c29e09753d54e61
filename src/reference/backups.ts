import { type FunctionReference, KEY, optional, parameter, SCOPE, type Section } from './model.js';

const FAILURE = 'Where it fails it does not raise: `success` is false, and `error` says what failed and what to do.';
const BACKUP_ID = parameter('backup_id', 'string', 'an id, the beginning of one that no other has, or `latest`');

const HISTORY_OPTIONS = optional('options', 'llmspell.HistoryOptions', 'how many steps');

const history: FunctionReference = {
  name: 'history',
  text: 'Returns what a key was, newest first, as far back as the history reaches.',
  parameters: [SCOPE, KEY, HISTORY_OPTIONS],
  withoutScope: [KEY, HISTORY_OPTIONS],
  result: { type: 'llmspell.HistoryEntry[]', text: 'the steps' },
  raises: 'a state that is out of reach or damaged',
  example: `State.set("job", "step", "load")
State.set("job", "step", "transform")
State.delete("job", "step")
for _, was in ipairs(State.history("job", "step")) do print(was.deleted, was.value) end
--> true	nil
--> false	transform
--> false	load`,
};

const at: FunctionReference = {
  name: 'at',
  text: 'Returns the state as it was at a moment or in a backup, to be read. It is closed when the script ends.',
  parameters: [
    parameter(
      'when',
      'number|string',
      'Unix seconds, an ISO-8601 time, `seq:NUMBER` of a change, or the id of a backup',
    ),
  ],
  result: { type: 'llmspell.View', text: 'reads as `State` does' },
  raises: 'a moment that neither the history nor a backup reaches; an id that no backup has',
  example: `State.set("job", "step", "load")
local backup = State.create_backup()
State.set("job", "step", "transform")
local past = State.at(backup.backup_id)
print(past.get("job", "step"), State.get("job", "step"))   --> load	transform`,
};

const createBackup: FunctionReference = {
  name: 'create_backup',
  text: `Backs the state up. An incremental backup holds only what changed since the last one; without an earlier one it becomes a full one, and \`warnings\` says so. ${FAILURE}`,
  parameters: [optional('options', 'boolean|llmspell.BackupOptions', '`true` is `{ incremental = true }`')],
  result: { type: 'llmspell.CreatedBackup', text: 'what was made' },
  example: `State.set("shop", "items", 3)
local full = State.create_backup { description = "before the sale", tags = { "shop" }, pin = true }
State.set("shop", "items", 2)
local next = State.create_backup(true)
print(full.success, full.is_incremental, full.entry_count)      --> true	false	1
print(next.is_incremental, next.parent_id == full.backup_id)   --> true	true`,
};

const listBackups: FunctionReference = {
  name: 'list_backups',
  text: 'Returns the backups there are, oldest first.',
  parameters: [optional('filter', 'llmspell.BackupFilter', 'which ones')],
  result: { type: 'llmspell.Backup[]', text: 'the backups' },
  raises: 'a directory of backups that cannot be read',
  example: `State.create_backup { description = "nightly", tags = { "auto" } }
State.create_backup { description = "by hand" }
for _, backup in ipairs(State.list_backups { tag = "auto" }) do
  print(backup.description, os.date("%Y", backup.created_at) == os.date("%Y"))
end
--> nightly	true`,
};

const restoreBackup: FunctionReference = {
  name: 'restore_backup',
  text: `Takes the state back to a backup: all or nothing, also where the process is killed meanwhile. The present state is kept as a rollback point, which restores as a backup does. ${FAILURE}`,
  parameters: [BACKUP_ID, optional('options', 'llmspell.RestoreOptions', 'what of it, and how')],
  result: { type: 'llmspell.RestoreResult', text: 'what was done' },
  example: `State.set("shop", "items", 3)
local backup = State.create_backup()
State.clear("shop")
local result = State.restore_backup(backup.backup_id)
print(result.success, State.get("shop", "items"))   --> true	3
State.restore_backup(result.rollback_id)            -- undoes it
print(State.get("shop", "items"))                   --> nil`,
};

const restoreTo: FunctionReference = {
  name: 'restore_to',
  text: `As \`restore_backup\`, but to a moment. ${FAILURE}`,
  parameters: [
    parameter(
      'when',
      'number|string',
      'Unix seconds (fraction allowed), an ISO-8601 time, `seq:NUMBER` of a change as `State.history` has it, or the id of a backup',
    ),
    optional('options', 'llmspell.RestoreOptions', 'what of it, and how'),
  ],
  result: {
    type: 'llmspell.RestoreResult',
    text: 'what was done; `restored_to` is the moment of the last change in it',
  },
  example: `State.set("job", "step", "load")
local before = State.history("job", "step")[1].at_ms / 1000
repeat State.set("job", "step", "wrong") until State.history("job", "step")[1].at_ms / 1000 > before
print(State.restore_to(before).success, State.get("job", "step"))   --> true	load`,
};

const validateBackup: FunctionReference = {
  name: 'validate_backup',
  text: 'Reads every byte of a backup and of what it rests on. An unknown id gives `is_valid = false` and an error; it does not raise.',
  parameters: [BACKUP_ID],
  result: { type: 'llmspell.Validation', text: 'what was found' },
  example: `local backup = State.create_backup()
print(State.validate_backup(backup.backup_id).is_valid)   --> true
print(State.validate_backup("0000").is_valid)             --> false`,
};

const deleteBackup: FunctionReference = {
  name: 'delete_backup',
  text: `Deletes a backup that no other rests on and that is not pinned. ${FAILURE}`,
  parameters: [BACKUP_ID],
  result: { type: 'llmspell.Outcome', text: 'whether it is gone' },
  example: `local full = State.create_backup()
local next = State.create_backup(true)
print(State.delete_backup(full.backup_id).success)   --> false
print(State.delete_backup(next.backup_id).success)   --> true`,
};

const cleanupBackups: FunctionReference = {
  name: 'cleanup_backups',
  text: `Deletes what the configured retention no longer keeps, and says why. ${FAILURE}`,
  parameters: [optional('dry_run', 'boolean', 'only say what would be done')],
  result: { type: 'llmspell.Cleanup', text: 'what went and what stays' },
  example: `State.create_backup()
local result = State.cleanup_backups(true)
print(result.dry_run, result.deleted_count, result.retained_count)   --> true	0	1`,
};

const getStorageUsage: FunctionReference = {
  name: 'get_storage_usage',
  text: 'Tells how many backups there are and what they take.',
  parameters: [],
  result: { type: 'llmspell.StorageUsage', text: 'the sums' },
  raises: 'a directory of backups that cannot be read',
  example: `State.create_backup()
State.create_backup(true)
local usage = State.get_storage_usage()
print(usage.total_backups, usage.full_backups, usage.total_size > 0)   --> 2	1	true`,
};

const diffBackups: FunctionReference = {
  name: 'diff_backups',
  text: 'Tells which entries differ between two backups, or between a backup and the present state.',
  parameters: [
    parameter('a', 'string', 'a backup, or `"current"`'),
    parameter('b', 'string', 'a backup, or `"current"`'),
  ],
  result: { type: 'llmspell.Difference', text: 'from `a` to `b`' },
  raises: 'an id that no backup has; a damaged backup',
  example: `State.set("shop", "items", 3)
local backup = State.create_backup()
State.set("shop", "items", 2)
State.set("shop", "name", "corner")
local difference = State.diff_backups(backup.backup_id, "current")
print(difference.changed[1].key, difference.added[1].key, #difference.removed)   --> items	name	0`,
};

const onProgress: FunctionReference = {
  name: 'on_progress',
  text: 'Has a function called while backups, restores and validations run. An error in it is raised when the operation is done.',
  parameters: [parameter('fn', 'fun(event: llmspell.ProgressEvent)|nil', 'nil: nobody is told any more')],
  example: `for i = 1, 100 do State.set("shop", "item" .. i, i) end
local phases = {}
State.on_progress(function(event) phases[event.phase] = event.done end)
State.create_backup()
State.on_progress(nil)
print(next(phases) ~= nil)   --> true`,
};

export const backupSections: readonly Section[] = [
  {
    title: 'The past',
    presence: 'always',
    text: 'Every change is kept for as long as `runtime.state_persistence.history` says.',
    functions: [history, at],
  },
  {
    title: 'Backups',
    presence: 'backups',
    text: 'Present where the configuration has backups; otherwise these fields are nil, so that a script can ask `State.create_backup ~= nil`.',
    functions: [
      createBackup,
      listBackups,
      restoreBackup,
      restoreTo,
      validateBackup,
      deleteBackup,
      cleanupBackups,
      getStorageUsage,
      diffBackups,
      onProgress,
    ],
  },
];
