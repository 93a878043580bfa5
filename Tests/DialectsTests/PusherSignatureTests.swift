import Dialects
import Testing

/// The vectors are those of Pusher's documentation and of its HTTP libraries.
@Suite("What a Pusher app's backend signs")
struct PusherSignatureTests {
    private static let secret = "7ad3773142a6692b25b8"
    private let app = PusherApp(id: "3", key: "278d425bdf160c739803", secrets: [PusherSignatureTests.secret])
    private let member = #"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#

    private func admits(_ signature: String, channel: String = "private-foobar", data: String? = nil) -> Bool {
        PusherSignature.admits(
            "278d425bdf160c739803:" + signature, socketID: "1234.1234", channel: channel, data: data, app: app)
    }

    @Test func `the documented signatures are taken, and no others`() {
        let signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
        #expect(admits(signature))
        #expect(!admits("59" + signature.dropFirst(2)))
        #expect(!admits(signature.dropLast() + "5"))
        #expect(!admits(String(signature.dropLast())))
        #expect(!admits(signature + "00"))
        #expect(!admits(signature, channel: "private-foobaz"))
        #expect(!admits("g" + signature.dropFirst()))
        #expect(
            !PusherSignature.admits(
                signature, socketID: "1234.1234", channel: "private-foobar", data: nil, app: app))
        #expect(
            !PusherSignature.admits(
                "another:" + signature, socketID: "1234.1234", channel: "private-foobar", data: nil, app: app))
    }

    @Test func `a member is signed with the very text that names it`() {
        let signature = "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"
        #expect(admits(signature, channel: "presence-foobar", data: member))
        #expect(
            admits(
                "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c", channel: "presence-foobar",
                data: member.replacing("Channels", with: "Pusher")))
        #expect(!admits(signature, channel: "presence-foobar", data: member + " "))
        #expect(!admits(signature, channel: "presence-foobar"))
    }

    @Test func `a user signs in by the documented signature`() {
        let auth = "278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
        let data = #"{"id":"12345"}"#
        #expect(PusherSignature.signsIn(auth, socketID: "1234.1234", userData: data, app: app))
        #expect(!PusherSignature.signsIn(auth, socketID: "1234.1235", userData: data, app: app))
    }

    @Test func `while a secret is changed both count`() {
        let rotated = PusherApp(id: "3", key: app.key, secrets: ["the-next-one", PusherSignatureTests.secret])
        let auth = app.key + ":" + PusherSignature.sign("1.1:private-a".utf8, secret: PusherSignatureTests.secret)
        #expect(PusherSignature.admits(auth, socketID: "1.1", channel: "private-a", data: nil, app: rotated))
        let next = app.key + ":" + PusherSignature.sign("1.1:private-a".utf8, secret: "the-next-one")
        #expect(PusherSignature.admits(next, socketID: "1.1", channel: "private-a", data: nil, app: rotated))
        #expect(!PusherSignature.admits(next, socketID: "1.1", channel: "private-a", data: nil, app: app))
    }

    @Test func `a request is signed by all that it asks for, sorted, but the signature`() {
        let text = PusherSignature.text(
            method: "POST", path: "/apps/3/events",
            parameters: [
                ("auth_version", "1.0"), ("body_md5", "ec365a775a4cd0599faeb73354201b6f"), ("auth_signature", "x"),
                ("auth_key", "278d425bdf160c739803"), ("auth_timestamp", "1353088179"),
            ])
        #expect(
            PusherSignature.sign(text.utf8, secret: PusherSignatureTests.secret)
                == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c")
    }
}
