import type { HostFunction, ImportPatch, LuaVm } from './vm.js';

/** Seconds either side of 1970 that the machine's calendar, JavaScript's, reaches: the year 275760. */
const FARTHEST = 8_640_000_000_000n;

/**
 * Corrects the loader's calendar where it differs from C's in the `C` locale: `%c` pads the day with a space, and `%Z` is the zone's
 * short name.
 */
export const calendar: ImportPatch = (imports, vm) => {
  const env = imports.env!;
  const strftime = env.strftime as (into: number, size: number, format: number, time: number) => number;
  env.strftime = (into: number, size: number, format: number, time: number) =>
    strftime(into, size, isDateAndTime(vm, format) ? vm.cstring('%a %b %e %H:%M:%S %Y') : format, time);
  env._tzset_js = (secondsWest: number, hasSummerTime: number, names: number) => {
    const year = new Date().getFullYear();
    // Whichever is the farther west of the two is the standard time, on either half of the earth.
    const [summer, winter] = [new Date(year, 0, 1), new Date(year, 6, 1)].sort(
      (a, b) => a.getTimezoneOffset() - b.getTimezoneOffset(),
    ) as [Date, Date];
    const standard = winter.getTimezoneOffset();
    const pointers = [vm.cstring(shortZone(winter)), vm.cstring(shortZone(summer))];
    vm.u32[secondsWest >> 2] = (standard * 60) >>> 0;
    vm.u32[hasSummerTime >> 2] = standard === summer.getTimezoneOffset() ? 0 : 1;
    vm.u32.set(pointers, names >> 2);
  };
};

/** `%c` or `%Ec`: Lua asks for one conversion at a time. */
function isDateAndTime({ u8 }: LuaVm, format: number): boolean {
  const letter = u8[format + 1] === 0x45 ? format + 2 : format + 1;
  return u8[letter] === 0x63 && u8[letter + 1] === 0;
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
