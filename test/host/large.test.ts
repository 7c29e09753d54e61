import { expect, test } from 'vitest';
import { openHost } from '../../src/index.js';
import { temporaryDirectory } from '../state/temporary.js';

/** `npm run test:long` takes a million. */
const KEYS = Number(process.env.LLMSPELL_TEST_KEYS ?? 50_000);

/** Runs scripts one after the other, each in a host of its own: what one finds there has been on disk. */
async function runAll(...sources: string[]): Promise<void> {
  const directory = await temporaryDirectory();
  const persistence = { path: 'state', backup: { backup_dir: 'backups' } };
  for (const source of sources) {
    await using host = await openHost({ settings: { runtime: { state_persistence: persistence } }, directory });
    const { error } = await host.run({ source });
    expect(error?.message).toBeUndefined();
  }
}

const RESTORE = `
  local backup = State.list_backups()[1].id
  local valid = State.validate_backup(backup)
  assert(valid.is_valid, valid.error)
  assert(State.clear("s") > 0)
  local restored = State.restore_backup(backup)
  assert(restored.success, restored.error)`;

test('scopes and keys of every byte, and keys of 64 kB, are kept, listed in byte order, backed up and restored', async () => {
  const NAMES = `
    local all = {} for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local every, long = table.concat(all), ("\\0\\1\\xff\\xc3("):rep(13107) .. "x"
    assert(#long == 65536)`;
  const CHECK = `${NAMES}
    for _, scope in ipairs({ every, "s" }) do
      local names = State.list(scope)
      assert(#names == 258, #names)
      for i = 2, #names do assert(names[i - 1] < names[i]) end
      for byte = 0, 255 do assert(State.get(scope, string.char(byte)) == byte) end
      assert(State.get(scope, every) == #scope and State.get(scope, long)[1] == scope)
      assert(State.list(scope, { prefix = long:sub(1, 65535) })[1] == long)
      assert(State.list(scope, { after = every, limit = 1 })[1] == (every < long and long < "\\1" and long or "\\1"))
    end
    assert(#State.scopes() == 2)`;
  await runAll(
    `${NAMES}
    for _, scope in ipairs({ every, "s" }) do
      for byte = 0, 255 do State.set(scope, string.char(byte), byte) end
      State.set(scope, every, #scope) State.set(scope, long, { scope })
    end
    assert(not pcall(State.set, "s", long .. long, 1))`,
    `${CHECK} assert(State.create_backup().success)`,
    RESTORE,
    CHECK,
  );
}, 60_000);

test(`${KEYS} keys in one scope are listed by prefix, from any key on and in part, backed up and restored`, async () => {
  const CHECK = `
    local name = ("key %07d")
    assert(State.list("s", { limit = 3 })[3] == name:format(3))
    local page, count, after = nil, 0, nil
    repeat
      page = State.list("s", { after = after, limit = 9999 })
      count, after = count + #page, page[#page]
    until #page < 9999
    assert(count == ${KEYS} and after == name:format(${KEYS}))
    assert(#State.list("s", { prefix = "key 00000" }) == 99)
    assert(#State.list("s", { prefix = name:format(${KEYS - 1}) }) == 1)
    assert(#State.list("s", { after = name:format(${KEYS - 5}) }) == 5)
    for i = 1, ${KEYS}, 997 do assert(State.get("s", name:format(i)).i == i) end`;
  await runAll(
    `for i = 1, ${KEYS} do State.set("s", ("key %07d"):format(i), { i = i }) end`,
    `${CHECK} assert(State.create_backup().success)`,
    RESTORE,
    CHECK,
  );
}, 600_000);
