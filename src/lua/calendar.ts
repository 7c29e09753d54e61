import type { Pointer } from './api.js';
import { formatTime, TM, TM_WORDS } from './strftime.js';
import type { HostFunction, ImportPatch, LuaVm } from './vm.js';

/** Seconds either side of 1970 that the machine's calendar, JavaScript's, reaches: the year 275760. */
const FARTHEST = 8_640_000_000_000n;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** C's calendar in the system's time zone and the `C` locale. Times are seconds since 1970. */
export const calendar: ImportPatch = ({ env }, vm) => {
  Object.assign(env!, {
    _gmtime_js: (time: bigint, tm: Pointer) => breakDown(new Date(Number(time) * 1000), fieldsAt(vm, tm)),
    _localtime_js: (time: bigint, tm: Pointer) => breakDownLocal(new Date(Number(time) * 1000), fieldsAt(vm, tm)),
    _mktime_js: (tm: Pointer) => makeTime(fieldsAt(vm, tm)),
    _tzset_js: (secondsWest: Pointer, hasSummerTime: Pointer, names: Pointer) => {
      const { standard, summer } = zoneIn(new Date().getFullYear());
      const pointers = [vm.cstring(shortZone(standard.date)), vm.cstring(shortZone(summer.date))];
      vm.u32[secondsWest >> 2] = (standard.minutesWest * 60) >>> 0;
      vm.u32[hasSummerTime >> 2] = standard.minutesWest === summer.minutesWest ? 0 : 1;
      vm.u32.set(pointers, names >> 2);
    },
    strftime: (into: Pointer, size: number, format: Pointer, tm: Pointer) => {
      const fields = fieldsAt(vm, tm);
      const zone = fields[TM.zone]! >>> 0;
      const text = formatTime(textAt(vm, format), fields, zone === 0 ? '' : textAt(vm, zone));
      if (text.length >= size) return 0;
      vm.u8.set(Buffer.from(`${text}\0`, 'latin1'), into);
      return text.length;
    },
  });
};

const fieldsAt = (vm: LuaVm, tm: Pointer): Int32Array => new Int32Array(vm.lua.memory.buffer, tm, TM_WORDS);

const textAt = ({ u8 }: LuaVm, at: Pointer): string =>
  Buffer.from(u8.subarray(at, u8.indexOf(0, at))).toString('latin1');

/** Writes the fields of a moment as clocks show it that are so many minutes behind Greenwich. */
function breakDown(date: Date, fields: Int32Array, minutesWest = 0, isSummer = false): void {
  const shown = new Date(date.getTime() - minutesWest * MINUTE_MS);
  const newYear = new Date(shown);
  newYear.setUTCMonth(0, 1);
  newYear.setUTCHours(0, 0, 0, 0);
  fields[TM.second] = shown.getUTCSeconds();
  fields[TM.minute] = shown.getUTCMinutes();
  fields[TM.hour] = shown.getUTCHours();
  fields[TM.day] = shown.getUTCDate();
  fields[TM.month] = shown.getUTCMonth();
  fields[TM.year] = shown.getUTCFullYear() - 1900;
  fields[TM.weekday] = shown.getUTCDay();
  fields[TM.yearDay] = Math.floor((shown.getTime() - newYear.getTime()) / DAY_MS);
  fields[TM.isSummer] = isSummer ? 1 : 0;
  fields[TM.secondsEast] = -minutesWest * 60;
}

function breakDownLocal(date: Date, fields: Int32Array): void {
  const minutesWest = date.getTimezoneOffset();
  breakDown(date, fields, minutesWest, isSummer(date));
}

/** Seconds of the moment that the fields name, which are brought into their ranges; -1 where there is none. */
function makeTime(fields: Int32Array): bigint {
  const date = new Date(0);
  date.setFullYear(fields[TM.year]! + 1900, fields[TM.month], fields[TM.day]);
  date.setHours(fields[TM.hour]!, fields[TM.minute], fields[TM.second], 0);
  if (Number.isNaN(date.getTime())) return -1n;
  const said = fields[TM.isSummer]!;
  // Less than 0: whatever holds then.
  if (said >= 0 && said > 0 !== isSummer(date)) asSaid(date, said > 0);
  breakDownLocal(date, fields);
  return BigInt(date.getTime() / 1000);
}

/** The hour was told in the other time. A year that has no summer time takes one that is an hour ahead, as other C libraries do. */
function asSaid(date: Date, inSummerTime: boolean): void {
  const { standard, summer } = zoneIn(date.getFullYear());
  const ahead = standard.minutesWest - summer.minutesWest || 60;
  date.setTime(date.getTime() + (inSummerTime ? -ahead : ahead) * MINUTE_MS);
}

function isSummer(date: Date): boolean {
  const { standard, summer } = zoneIn(date.getFullYear());
  const minutesWest = date.getTimezoneOffset();
  return standard.minutesWest !== summer.minutesWest && minutesWest === summer.minutesWest;
}

/** The two times of a year. Whichever is the farther west is the standard one, on either half of the earth. */
function zoneIn(year: number) {
  const [summer, standard] = [0, 6]
    .map((month) => {
      const date = new Date(0);
      date.setFullYear(year, month, 1);
      return { date, minutesWest: date.getTimezoneOffset() };
    })
    .sort((a, b) => a.minutesWest - b.minutesWest);
  return { standard: standard!, summer: summer! };
}

const shortZone = (date: Date): string =>
  date.toLocaleTimeString('en-US', { timeZoneName: 'short' }).split(' ').at(-1) ?? '';

/** `os.date` that refuses the times that the calendar would silently show as something else. */
export const dateWithin =
  (vm: LuaVm, date: HostFunction): HostFunction =>
  (L) => {
    const time = vm.lua.lua_tointegerx(L, 2, 0);
    const within = time >= -FARTHEST && time <= FARTHEST;
    return within ? date(L) : vm.raise(L, 'date result cannot be represented in this installation');
  };
