extension BenchReport {
    /// The report as one page: charts as inline SVG, nothing loaded from anywhere, light and dark.
    package var html: String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>martlet bench</title><style>\(BenchReport.style)</style></head><body>
        <h1>\(Markup.escaped(title))</h1>
        \(settings.map { "<p>\(Markup.escaped($0))</p>" }.joined(separator: "\n"))
        \(notes.map { "<p class=\"bad\">\(Markup.escaped($0))</p>" }.joined(separator: "\n"))
        \(verdict)
        \(charts)
        <h2>Figures</h2>
        <table>\(figures.map(BenchReport.row).joined(separator: "\n"))</table>
        \(stepTable)
        </body></html>

        """
    }

    private var verdict: String {
        faults.isEmpty
            ? "<p class=\"good\">no faults</p>"
            : "<ul class=\"bad\">\(faults.map { "<li>\(Markup.escaped($0))</li>" }.joined())</ul>"
    }

    private var charts: String {
        var parts: [String] = []
        if !steps.isEmpty {
            let axis = steps.map { Double($0.connections) }
            func curve(_ name: String, _ values: [Double]) -> String {
                "<h2>\(name)</h2>" + Chart.curve(x: axis, y: values, xName: "connections", yName: name)
            }
            parts += [
                curve("p99 latency, ms", steps.map(\.p99Milliseconds)),
                curve("deliveries per second", steps.map(\.deliveriesPerSecond)),
                curve("server CPU, % of a core", steps.map(\.serverPercent)),
                curve("errors, %", steps.map(\.errorPercent)),
            ]
        }
        for one in curves {
            parts.append(
                "<h2>\(Markup.escaped(one.name))</h2>"
                    + Chart.curve(x: one.x, y: one.y, xName: one.xName, yName: one.yName))
        }
        if let latency, latency.count > 0 {
            parts.append("<h2>\(Markup.escaped(latencyName))</h2>" + Chart.histogram(latency))
        }
        return parts.joined(separator: "\n")
    }

    private var stepTable: String {
        guard !steps.isEmpty else { return "" }
        let heads = [
            "connections", "deliveries/s", "p50 ms", "p99 ms", "errors %", "server %", "redis %", "MiB", "broken",
        ]
        let rows = steps.map { step in
            let cells =
                [
                    Double(step.connections), step.deliveriesPerSecond, step.p50Milliseconds, step.p99Milliseconds,
                    step.errorPercent, step.serverPercent, step.redisPercent, step.serverMiB,
                ].map { "<td class=\"n\">\(NumberText.of($0))</td>" }.joined()
            return "<tr>\(cells)<td>\(Markup.escaped(step.broken ?? ""))</td></tr>"
        }
        let head = heads.map { "<th>\($0)</th>" }.joined()
        return "<h2>Steps</h2><table><tr>\(head)</tr>\(rows.joined(separator: "\n"))</table>"
    }

    private static func row(_ figure: Figure) -> String {
        "<tr><td>\(Markup.escaped(figure.name))</td><td class=\"n\">\(NumberText.of(figure.value))</td>"
            + "<td>\(Markup.escaped(figure.unit))</td></tr>"
    }

    private static let style = """
        :root{color-scheme:light dark;--ink:#1d2733;--faint:#8895a3;--line:#d5dce3;--mark:#2368b5;--paper:#fff}
        @media(prefers-color-scheme:dark){:root{--ink:#e3e9ef;--faint:#8895a3;--line:#36414c;--mark:#6aa9ee;--paper:#141a20}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:56rem;margin:2rem auto;
        padding:0 1rem}h1{font:600 1.1rem/1.4 ui-monospace,monospace;overflow-wrap:anywhere}h2{font-size:1rem;margin:2rem 0 .3rem}
        p{margin:.2rem 0}.good{color:#2b8a3e}.bad{color:#d64545}table{border-collapse:collapse}
        td,th{padding:.15rem .9rem .15rem 0;text-align:left;border-bottom:1px solid var(--line)}.n{text-align:right;
        font-variant-numeric:tabular-nums}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--faint)}
        .axis{stroke:var(--line);stroke-width:1}.bar{fill:var(--mark)}.curve{fill:none;stroke:var(--mark);stroke-width:2}
        .mark{stroke:var(--ink);stroke-dasharray:3 3}
        """
}

/// Text in HTML and SVG.
enum Markup {
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
