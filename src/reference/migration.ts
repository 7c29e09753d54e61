import { type FunctionReference, parameter, type Section } from './model.js';

const migrate: FunctionReference = {
  name: 'migrate',
  text: 'Brings the state to a version of its schema: all or nothing, with a backup before where `backup_on_migration` says so. Where it fails it does not raise: `success` is false, and `error` says what failed.',
  parameters: [parameter('target', 'string', 'a version that `get_schema_versions` has')],
  result: { type: 'llmspell.MigrationResult', text: 'what was done' },
  example: `local result = State.migrate("9.9.9")
print(result.success, result.error ~= nil)   --> false	true`,
};

const status: FunctionReference = {
  name: 'get_migration_status',
  aliases: ['migration_status'],
  text: 'Tells which version the state has and which ones it could have.',
  parameters: [],
  result: { type: 'llmspell.MigrationStatus', text: 'the versions' },
  example: `local status = State.get_migration_status()
print(status.total_schemas == #State.get_schema_versions())   --> true`,
};

const versions: FunctionReference = {
  name: 'get_schema_versions',
  aliases: ['schema_versions'],
  text: 'Returns the versions that the directory of schemas has, oldest first.',
  parameters: [],
  result: { type: 'string[]', text: 'the versions' },
  example: `print(type(State.get_schema_versions()))   --> table`,
};

export const migrationSections: readonly Section[] = [
  {
    title: 'Migration',
    presence: 'migration',
    text: 'Present where `runtime.state_persistence.migration_enabled` is true.',
    functions: [migrate, status, versions],
  },
];
