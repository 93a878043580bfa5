import ControlAPI
import Metrics
import Synchronization
import Testing

@Suite struct MetricsTests {
    @Test func `each kind of instrument is rendered as Prometheus reads it`() {
        let registry = MetricsRegistry()
        Counter(label: "frames_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment(by: 3)
        Counter(label: "frames_total", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        FloatingPointCounter(label: "seconds_total", factory: registry).increment(by: 0.5)
        let meter = Meter(label: "connections", factory: registry)
        meter.set(10)
        meter.decrement(by: 1)
        Gauge(label: "lag", factory: registry).record(-1.25)
        let sizes = Recorder(label: "bytes", factory: registry)
        sizes.record(100)
        sizes.record(50)
        #expect(
            registry.text() == """
                # TYPE bytes summary
                bytes_sum 150
                bytes_count 2
                # TYPE connections gauge
                connections 9
                # TYPE frames_total counter
                frames_total{a="1",b="2"} 4
                # TYPE lag gauge
                lag -1.25
                # TYPE seconds_total counter
                seconds_total 0.5
                # HELP martlet_metrics_dropped_total Times that something was to be counted of which there are too many series.
                # TYPE martlet_metrics_dropped_total counter
                martlet_metrics_dropped_total 0

                """)
    }

    @Test func `a timer is a histogram in seconds whose buckets add up`() {
        let registry = MetricsRegistry()
        let timer = Timer(label: "command", dimensions: [("name", "x")], factory: registry)
        timer.recordNanoseconds(500_000)
        timer.recordMilliseconds(30)
        timer.recordSeconds(60)
        let text = registry.text()
        #expect(text.contains("# TYPE command_seconds histogram\n"))
        #expect(text.contains(#"command_seconds_bucket{name="x",le="0.0005"} 1"#))
        #expect(text.contains(#"command_seconds_bucket{name="x",le="0.025"} 1"#))
        #expect(text.contains(#"command_seconds_bucket{name="x",le="0.05"} 2"#))
        #expect(text.contains(#"command_seconds_bucket{name="x",le="10"} 2"#))
        #expect(text.contains(#"command_seconds_bucket{name="x",le="+Inf"} 3"#))
        #expect(text.contains(#"command_seconds_count{name="x"} 3"#))
        #expect(text.contains(#"command_seconds_sum{name="x"} 60.0305"#))
    }

    @Test func `names and labels cannot break out of their line`() {
        let registry = MetricsRegistry()
        Counter(label: "9a.b-c é", dimensions: [("k:1", "a\"b\\c\nd")], factory: registry).increment()
        let text = registry.text()
        #expect(text.contains("_9a_b_c__{k_1=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test func `label sets are bounded and what is beyond is said`() {
        let registry = MetricsRegistry(maxSeries: 3)
        for index in 0..<10 { Counter(label: "c", dimensions: [("i", "\(index)")], factory: registry).increment() }
        let text = registry.text()
        #expect(text.split(separator: "\n").count(where: { $0.hasPrefix("c{") }) == 3)
        #expect(text.contains("martlet_metrics_dropped_total 7"))
    }

    @Test func `a name that is taken for another kind is counted nowhere and harms nothing`() {
        let registry = MetricsRegistry()
        Counter(label: "x", factory: registry).increment()
        Gauge(label: "x", factory: registry).record(5)
        Timer(label: "x_seconds", factory: registry).recordNanoseconds(1)
        #expect(registry.text().contains("# TYPE x counter\nx 1\n"))
        #expect(registry.text().contains("martlet_metrics_dropped_total 1"))
    }

    @Test func `a gauge that is observed is read whenever it is shown`() {
        let registry = MetricsRegistry()
        let value = Mutex(1.0)
        registry.observe("martlet_node_lease_seconds") { value.withLock { $0 } }
        #expect(
            registry.text().contains(
                """
                # HELP martlet_node_lease_seconds What is left of the node's lease; at 0 the others take it for dead.
                # TYPE martlet_node_lease_seconds gauge
                martlet_node_lease_seconds 1

                """))
        value.withLock { $0 = 0.25 }
        #expect(registry.text().contains("\nmartlet_node_lease_seconds 0.25\n"))
    }

    @Test func `counting from many tasks loses nothing`() async {
        let registry = MetricsRegistry()
        await withDiscardingTaskGroup { tasks in
            for _ in 0..<8 {
                tasks.addTask {
                    for _ in 0..<1000 {
                        Counter(label: "c", factory: registry).increment()
                        Meter(label: "m", factory: registry).increment(by: 1)
                        Recorder(label: "r", factory: registry).record(2)
                    }
                }
            }
        }
        let text = registry.text()
        #expect(text.contains("\nc 8000\n") && text.contains("\nm 8000\n") && text.contains("\nr_sum 16000\n"))
    }
}
