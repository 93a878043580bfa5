import GatewayNode
import Testing

@Suite("Units")
struct UnitsTests {
    @Test(
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("5s", .seconds(5)), ("2m", .seconds(120)),
            ("24h", .seconds(86_400)),
            ("0s", .zero),
        ])
    func `times are read with their unit`(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
    }

    @Test(
        arguments: [
            "", "5", "s", "-5s", "5 s", "1.5s", "5d", "5S", "99999999999999999999s", "9223372036854775807h", "٥s",
        ])
    func `what is no time is not read`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        arguments: [
            (Duration.seconds(30), "30s"), (.seconds(120), "120s"), (.seconds(180), "3m"), (.seconds(86_400), "24h"),
            (.milliseconds(1500), "1500ms"), (.zero, "0s"), (.seconds(3601), "3601s"),
        ])
    func `times are shown so that they are read back`(duration: Duration, text: String) {
        #expect(DurationText.show(duration) == text)
        #expect(DurationText.parse(text) == duration)
    }

    @Test(
        arguments: [
            ("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648),
        ])
    func `sizes are read as bytes or with a unit`(text: String, bytes: Int) {
        #expect(ByteCount.parse(text) == bytes)
    }

    @Test(arguments: ["", "KiB", "1KB", "1kib", "1 KiB", "-1", "9223372036854775807GiB"])
    func `what is no size is not read`(text: String) {
        #expect(ByteCount.parse(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0"), (1000, "1000"), (65_536, "64KiB"), (1_048_576, "1MiB"), (1_048_577, "1048577"),
        ])
    func `sizes are shown in their largest whole unit`(bytes: Int, text: String) {
        #expect(ByteCount.show(bytes) == text)
        #expect(ByteCount.parse(text) == bytes)
    }
}
