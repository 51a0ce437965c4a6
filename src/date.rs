//! Days and months of the Gregorian calendar in UTC, as seconds of Unix time.

/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// Year, month (1 to 12) and day of a day since 1970-01-01, by Hinnant's algorithm
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the leap day is the last one.
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The day since 1970-01-01 of a date from then on.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

/// The month of a time, counted from year 0 on, and when it ends.
pub fn month(seconds: u64) -> (u64, u64) {
    let (year, month, _) = civil(seconds / DAY);
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    (year * 12 + month, next.unwrap_or_default().saturating_mul(DAY))
}

/// Reads a date, `2026-12-31`, or a time, `2026-12-31T23:59:59Z` (RFC 3339, with `Z` or an offset).
/// A date is its beginning.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let day_number = days(year, month, day)?;
    // A day that the month does not have would be one of the next.
    if civil(day_number) != (year, month, day) {
        return None;
    }
    let start = day_number * DAY;
    let Some(time) = time else { return Some(start) };
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(at)?;
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let local = start + clock_seconds(hour, minute, second)?;
    let (sign, offset) = zone.split_at_checked(1)?;
    if matches!(sign, "Z" | "z") {
        return offset.is_empty().then_some(local);
    }
    let [hour, minute] = numbers(offset, ':', [2, 2])?;
    let offset = clock_seconds(hour, minute, 0)?;
    if sign == "+" { local.checked_sub(offset) } else { local.checked_add(offset) }
}

fn clock_seconds(hour: u64, minute: u64, second: u64) -> Option<u64> {
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some(hour * 3600 + minute * 60 + second)
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(separator);
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let whole = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| whole)?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_written() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-12-31T23:59:59Z", Some(1_798_761_599)),
            ("2026-12-31T23:59:59.5+01:30", Some(1_798_756_199)),
            ("2026-12-31 23:59:59-01:00", Some(1_798_765_199)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("1969-12-31", None),
            ("2026-1-1", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T10:00:00", None),
            ("2026-01-01T10:00:00Zz", None),
            ("+026-01-01", None),
            ("2026-01-01é", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn months_end_where_the_next_begin() {
        for (date, end) in [
            ("2026-01-31T23:59:59Z", "2026-02-01"),
            ("2024-02-29", "2024-03-01"),
            ("2026-12-01", "2027-01-01"),
            ("2100-02-28", "2100-03-01"),
        ] {
            let (number, ends) = month(parse(date).unwrap());
            assert_eq!(Some(ends), parse(end), "{date}");
            assert_eq!(month(ends).0, number + 1);
            assert_eq!(month(ends - 1).0, number);
        }
        let _ = month(u64::MAX);
    }
}
