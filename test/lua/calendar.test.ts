import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const COMMAND = fileURLToPath(new URL('../../bin/llmspell.js', import.meta.url));
const isInstalled = spawnSync('lua5.4', ['-v']).error === undefined;

/** Every conversion, and dates whose fields are far outside their ranges or told in the other of a year's two times. */
const SCRIPT = `
local conversions = {}
for letter in ('aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYz%'):gmatch('.') do conversions[#conversions + 1] = '%' .. letter end
local format = table.concat(conversions, '|')
local state = 7
local function random(from, to)
  state = (state * 1103515245 + 12345) % 2147483648
  return from + state % (to - from + 1)
end
for _ = 1, 400 do
  local anywhere, recent = random(-20000000000, 40000000000), random(0, 1700000000)
  print(anywhere, os.date('!' .. format, anywhere)) print(recent, os.date(format, recent))
  local fields = os.date('*t', recent) print(fields.isdst, fields.yday, fields.wday, os.time(fields))
  fields.isdst = ({ true, false })[random(1, 3)]
  fields.month, fields.day, fields.hour = fields.month + random(-30, 30), fields.day + random(-400, 400), fields.hour + random(-100, 100)
  print(fields.isdst, os.time(fields), fields.year, fields.month, fields.day, fields.hour, fields.isdst)
end`;

describe.skipIf(!isInstalled)('dates', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'])('in %s are those of lua5.4', (zone) => {
    const env = { ...process.env, TZ: zone };
    const own = execFileSync(process.execPath, [COMMAND, 'exec', SCRIPT], { env, encoding: 'utf8' });
    const native = execFileSync('lua5.4', ['-e', SCRIPT], { env, encoding: 'utf8' });
    expect(own.split('\n')).toEqual(native.split('\n'));
  });
});
