import Foundation

/// Charts as SVG elements, coloured by the page they stand in.
enum Chart {
    private static let width = 800.0
    private static let height = 260.0
    private static let left = 60.0
    private static let right = 20.0
    private static let top = 16.0
    private static let bottom = 36.0

    /// How many values took how long: time on a logarithmic axis, in milliseconds, with p50 and p99 marked.
    static func histogram(_ histogram: Histogram) -> String {
        let buckets = histogram.buckets
        guard let first = buckets.first, let last = buckets.last else { return "" }
        let lowest = log10(Double(max(1, first.lowest)))
        let highest = max(lowest + 0.1, log10(Double(max(1, last.highest)) + 1))
        let count = 80
        var bars = Array(repeating: 0, count: count)
        for bucket in buckets {
            let middle = (Double(bucket.lowest) + Double(bucket.highest)) / 2
            let part = (log10(max(1, middle)) - lowest) / (highest - lowest)
            bars[min(count - 1, max(0, Int(part * Double(count))))] += bucket.count
        }
        let peak = Double(bars.max() ?? 1)
        let step = (width - left - right) / Double(count)
        var body = frame(yTop: NumberText.of(peak), xName: "milliseconds")
        for (index, bar) in bars.enumerated() where bar > 0 {
            let size = max(1, Double(bar) / peak * plotHeight)
            body += rectangle(x: left + Double(index) * step, y: height - bottom - size, step - 1, size)
        }
        func place(_ nanoseconds: Double) -> Double {
            left + (log10(max(1, nanoseconds)) - lowest) / (highest - lowest) * (width - left - right)
        }
        for power in Int(lowest.rounded(.up))...max(Int(lowest.rounded(.up)), Int(highest)) {
            let value = pow(10, Double(power))
            guard Double(power) <= highest else { continue }
            body += text(NumberText.of(value / 1e6), x: place(value), y: height - bottom + 16, anchor: "middle")
        }
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            let x = place(Double(histogram.quantile(part)))
            body += line(x, top, x, height - bottom, "mark")
            body += text(name, x: x + 3, y: top + 10, anchor: "start")
        }
        return svg(body)
    }

    /// One value over another, from zero up.
    static func curve(x: [Double], y: [Double], xName: String, yName: String) -> String {
        guard let last = x.max(), last > 0 else { return "" }
        let peak = max(y.max() ?? 0, 1e-9)
        let points = zip(x, y).map { x, y in
            (left + x / last * (width - left - right), height - bottom - y / peak * plotHeight)
        }
        var body = frame(yTop: NumberText.of(y.max() ?? 0), xName: xName)
        let path = points.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " ")
        body += "<polyline class=\"curve\" points=\"\(path)\"/>"
        for (index, point) in points.enumerated() {
            let title = "\(NumberText.of(x[index])) \(xName): \(NumberText.of(y[index])) \(yName)"
            body += "<circle class=\"bar\" cx=\"\(number(point.0))\" cy=\"\(number(point.1))\" r=\"4\">"
            body += "<title>\(Markup.escaped(title))</title></circle>"
            body += text(NumberText.of(x[index]), x: point.0, y: height - bottom + 16, anchor: "middle")
        }
        return svg(body)
    }

    private static var plotHeight: Double { height - top - bottom }

    private static func frame(yTop: String, xName: String) -> String {
        line(left, height - bottom, width - right, height - bottom, "axis")
            + line(left, top, left, height - bottom, "axis")
            + text(yTop, x: left - 6, y: top + 10, anchor: "end")
            + text("0", x: left - 6, y: height - bottom, anchor: "end")
            + text(xName, x: width - right, y: height - 4, anchor: "end")
    }

    private static func svg(_ body: String) -> String {
        "<svg viewBox=\"0 0 \(number(width)) \(number(height))\" role=\"img\">\(body)</svg>"
    }

    private static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ name: String) -> String {
        "<line class=\"\(name)\" x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\"/>"
    }

    private static func rectangle(x: Double, y: Double, _ width: Double, _ height: Double) -> String {
        "<rect class=\"bar\" x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\"/>"
    }

    private static func text(_ text: String, x: Double, y: Double, anchor: String) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(Markup.escaped(text))</text>"
    }

    private static func number(_ value: Double) -> String { String(format: "%.1f", value) }
}
