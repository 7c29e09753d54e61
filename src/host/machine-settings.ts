import type { MachineLimits, MachineSettings, SandboxSettings } from '../channel/start.js';
import type { Config } from '../config/schema.js';

/** What a caller may change for one run; everything else is as configured. */
export interface Overrides {
  /** 0: no limit. */
  memoryLimitBytes?: number;
  /** 0: no limit. */
  maxInstructions?: number;
  /** What the script may print, to stdout and stderr together. Default 0: no limit. */
  maxOutputBytes?: number;
  allowFileAccess?: boolean;
  allowProcessSpawn?: boolean;
}

/** The machine that a configuration describes. `calls` are the functions that `State` has beyond the basic ones. */
export function machineSettings(
  config: Config,
  env: NodeJS.ProcessEnv,
  calls: readonly string[],
  overrides: Overrides,
): MachineSettings {
  return {
    sandbox: sandbox(config, env, overrides),
    limits: limits(config, overrides),
    state: config.runtime.state_persistence.enabled,
    calls,
  };
}

/** `sandbox_mode` is the stronger word: nothing else opens what it closes. */
function sandbox({ engines, runtime }: Config, env: NodeJS.ProcessEnv, overrides: Overrides): SandboxSettings {
  const { stdlib_level: level, sandbox_mode: closed } = engines.lua;
  const { security, state_persistence: state } = runtime;
  return {
    stdlib: closed ? 'safe' : level,
    fileAccess: !closed && (overrides.allowFileAccess ?? security.allow_file_access),
    allowedPaths: security.allowed_paths,
    processSpawn: !closed && (overrides.allowProcessSpawn ?? security.allow_process_spawn),
    environment: environmentFor(env, {
      secret: state.backup?.encryption_key_env,
      only: closed || security.allowed_env.length > 0 ? security.allowed_env : undefined,
    }),
  };
}

/** What is allowed, but never the passphrase of the backups: who can read it could read and forge them. */
function environmentFor(
  env: NodeJS.ProcessEnv,
  { secret, only }: { secret: string | undefined; only: readonly string[] | undefined },
): Record<string, string> {
  const visible = Object.entries(env).filter(
    ([name, value]) => value !== undefined && name !== secret && only?.includes(name) !== false,
  );
  return Object.fromEntries(visible) as Record<string, string>;
}

function limits({ engines, runtime }: Config, overrides: Overrides): MachineLimits {
  const { memory_limit: memoryLimit, max_instructions: maxInstructions } = engines.lua;
  const { max_state_size_bytes: maxValueBytes, max_value_depth: maxValueDepth } = runtime.state_persistence;
  return {
    memoryBytes: overrides.memoryLimitBytes ?? memoryLimit,
    maxInstructions: overrides.maxInstructions ?? maxInstructions,
    maxOutputBytes: overrides.maxOutputBytes ?? 0,
    maxValueBytes,
    maxValueDepth,
  };
}
