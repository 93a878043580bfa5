/// Moments as the databases are told them: `2026-01-31 23:59:59.999`, in UTC.
enum UTCTime {
    private static let millisecondsADay: Int64 = 86_400_000

    static func text(of milliseconds: Int64) -> String {
        var (days, rest) = milliseconds.quotientAndRemainder(dividingBy: millisecondsADay)
        if rest < 0 { (days, rest) = (days - 1, rest + millisecondsADay) }
        let (year, month, day) = date(ofDay: days)
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { padded($0, 2) }
        return
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2)) \(clock.joined(separator: ":")).\(padded(rest % 1000, 3))"
    }

    /// Nil where it is none. Digits behind the milliseconds are passed over.
    static func milliseconds(of text: String) -> Int64? {
        let numbers = text.split { "- :.".contains($0) }
        guard numbers.count >= 6, let year = Int64(numbers[0]), let month = Int64(numbers[1]),
            let day = Int64(numbers[2]), let hour = Int64(numbers[3]), let minute = Int64(numbers[4]),
            let second = Int64(numbers[5])
        else { return nil }
        let fraction = numbers.count > 6 ? Int64((numbers[6] + "000").prefix(3)) ?? 0 : 0
        let days = self.day(year, month, day)
        return days * millisecondsADay + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction
    }

    /// When the month began that this moment lies in.
    static func startOfMonth(_ milliseconds: Int64) -> Int64 {
        var (days, rest) = milliseconds.quotientAndRemainder(dividingBy: millisecondsADay)
        if rest < 0 { days -= 1 }
        let (year, month, _) = date(ofDay: days)
        rest = day(year, month, 1)
        return rest * millisecondsADay
    }

    /// Of a day since 1970 in the Gregorian calendar, by eras of 400 years that begin in March.
    private static func date(ofDay days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func padded(_ number: Int64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
