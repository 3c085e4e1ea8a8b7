// SPDX-License-Identifier: Apache-2.0
// Wall-clock times as text, without Date (the engine on the device has none).

/**
 * A time in UTC as Go's RFC3339Nano writes it: trailing zeros of the fraction are left out, and so is an empty fraction.
 * Seconds since the epoch and nanoseconds (0 to 999999999), as host.clock() gives them; years 0 to 9999.
 */
export function rfc3339(seconds: number, nanoseconds: number): string {
  const days = Math.floor(seconds / 86400);
  const second = seconds - days * 86400;
  const { year, month, day } = civilDate(days);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  const time = `${pad(Math.floor(second / 3600), 2)}:${pad(Math.floor(second / 60) % 60, 2)}:${pad(second % 60, 2)}`;
  return `${date}T${time}${fraction(nanoseconds)}Z`;
}

function fraction(nanoseconds: number): string {
  if (nanoseconds === 0) return "";
  const digits = pad(nanoseconds, 9);
  let end = 9;
  while (digits[end - 1] === "0") end--;
  return `.${digits.slice(0, end)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/**
 * Days since 1970-01-01 as a date of the proleptic Gregorian calendar. Years are counted from March on, so that the
 * leap day is a year's last day; 400 years are 146097 days.
 */
function civilDate(days: number): { year: number; month: number; day: number } {
  const sinceMarch0 = days + 719468; // 0000-03-01
  const era = Math.floor(sinceMarch0 / 146097);
  const dayOfEra = sinceMarch0 - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}
