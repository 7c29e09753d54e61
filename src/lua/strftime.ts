/** `struct tm`: where its fields are, in words of four bytes. `year` counts from 1900, `month` and `yearDay` from 0; `zone` is an address. */
export const TM = {
  second: 0,
  minute: 1,
  hour: 2,
  day: 3,
  month: 4,
  year: 5,
  weekday: 6,
  yearDay: 7,
  isSummer: 8,
  secondsEast: 9,
  zone: 10,
} as const;
export const TM_WORDS = 11;

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
].concat('November', 'December');

type Conversion = (tm: Int32Array, zone: string) => string | number;

const year = (tm: Int32Array): number => tm[TM.year]! + 1900;
const two = (value: number): string => String(value).padStart(2, '0');
const hour12 = (tm: Int32Array): number => ((tm[TM.hour]! + 11) % 12) + 1;
const inCentury = (value: number): string => two(((value % 100) + 100) % 100);
/** Weeks of the year that begin on a weekday, as far as the given day. */
const weeks = (tm: Int32Array, from: number): string =>
  two(Math.floor((tm[TM.yearDay]! + 7 - ((tm[TM.weekday]! + 7 - from) % 7)) / 7));

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  a: (tm) => dayName(tm).slice(0, 3),
  A: (tm) => dayName(tm),
  b: (tm) => monthName(tm).slice(0, 3),
  B: (tm) => monthName(tm),
  C: (tm) => two(Math.floor(year(tm) / 100)),
  d: (tm) => two(tm[TM.day]!),
  e: (tm) => String(tm[TM.day]).padStart(2),
  g: (tm) => inCentury(isoWeek(tm).year),
  G: (tm) => isoWeek(tm).year,
  H: (tm) => two(tm[TM.hour]!),
  I: (tm) => two(hour12(tm)),
  j: (tm) => String(tm[TM.yearDay]! + 1).padStart(3, '0'),
  m: (tm) => two(tm[TM.month]! + 1),
  M: (tm) => two(tm[TM.minute]!),
  n: () => '\n',
  p: (tm) => (tm[TM.hour]! < 12 ? 'AM' : 'PM'),
  S: (tm) => two(tm[TM.second]!),
  t: () => '\t',
  u: (tm) => tm[TM.weekday]! || 7,
  U: (tm) => weeks(tm, 0),
  V: (tm) => two(isoWeek(tm).week),
  w: (tm) => tm[TM.weekday]!,
  W: (tm) => weeks(tm, 1),
  y: (tm) => inCentury(year(tm)),
  Y: (tm) => year(tm),
  z: (tm) => offset(tm[TM.secondsEast]! / 60),
  Z: (_, zone) => zone,
  '%': () => '%',
};

/** What stands for several others. */
const ABBREVIATIONS: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  h: '%b',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

/** C's `strftime` in the `C` locale, where the modifiers `E` and `O` change nothing. */
export function formatTime(format: string, tm: Int32Array, zone: string): string {
  return format.replace(/%[EO]?(.)/gs, (conversion, letter: string) => {
    const several = ABBREVIATIONS[letter];
    if (several !== undefined) return formatTime(several, tm, zone);
    return String(CONVERSIONS[letter]?.(tm, zone) ?? conversion);
  });
}

const dayName = (tm: Int32Array): string => DAYS[tm[TM.weekday]!] ?? '?';
const monthName = (tm: Int32Array): string => MONTHS[tm[TM.month]!] ?? '?';

function offset(minutesEast: number): string {
  const minutes = Math.abs(minutesEast);
  return `${minutesEast < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(Math.floor(minutes % 60))}`;
}

/** ISO 8601: weeks begin on Monday, and belong to the year that has their Thursday. */
function isoWeek(tm: Int32Array): { year: number; week: number } {
  const thursday = tm[TM.yearDay]! + 3 - ((tm[TM.weekday]! + 6) % 7);
  const own = year(tm);
  if (thursday < 0) return { year: own - 1, week: Math.floor((thursday + daysIn(own - 1)) / 7) + 1 };
  if (thursday >= daysIn(own)) return { year: own + 1, week: 1 };
  return { year: own, week: Math.floor(thursday / 7) + 1 };
}

const daysIn = (ofYear: number): number => ((ofYear % 4 === 0 && ofYear % 100 !== 0) || ofYear % 400 === 0 ? 366 : 365);
