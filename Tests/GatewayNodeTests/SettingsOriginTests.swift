import GatewayCore
import GatewayNode
import Testing

@Suite("Who may use the client port, from which pages and by which name")
struct SettingsOriginTests {
    @Test(
        arguments: [
            ("https://App.Example", "https://app.example"), ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
            ("https://MÜNCHEN.example:8443", "https://xn--mnchen-3ya.example:8443"),
            ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
            ("https://straße.example", "https://xn--strae-oqa.example"),
            ("capacitor://localhost", "capacitor://localhost"), ("*", "*"),
        ])
    func `an origin is brought into the form that browsers send`(text: String, form: String) throws {
        #expect(try load("client: {origins: ['\(text)']}\n").settings.origins == [form])
        #expect(
            try load(nil, ["MARTLET_CLIENT_ORIGINS": "\(text), https://b.example"]).settings.origins.first
                == form)
    }

    @Test(
        arguments: [
            ("https://*.example.com", "name each host in full"), ("https://app.*", "name each host in full"),
            ("*.example.com", "name each host in full"), ("https://*", "name each host in full"),
            ("https://app.example/", "is not an origin"), ("https://a@app.example", "is not an origin"),
            ("app.example", "is not an origin"), ("null", "is not an origin"),
            ("wss://app.example", "write http:// or https://"),
            ("https://a\u{202E}b.example", "write it in the form that begins with xn--"),
            ("https://ü:ü@münchen.example", "write it in the form that begins with xn--"),
            ("https://münchen.example/x", "write it in the form that begins with xn--"),
        ])
    func `what no browser would ever send is refused, with what to write in its place`(text: String, part: String)
        throws
    {
        let line = try refusal(nil, ["MARTLET_CLIENT_ORIGINS": text])
        #expect(line?.contains(part) == true && line?.hasPrefix("client.origins = ") == true)
    }

    @Test
    func `on a loopback port where nobody has to prove who they are, pages and names of this machine alone are served`()
        throws
    {
        let settings = try load("client: {port: 8080}\n").settings
        #expect(settings.originRule.letsIn("http://localhost:3000"))
        #expect(!settings.originRule.letsIn("https://evil.example"))
        let fence = settings.clientFence
        #expect(fence.serves("localhost:8080") && !fence.serves("evil.example:8080"))
    }

    @Test func `origins that somebody wrote are served there by their names, and a star opens both`() throws {
        let named = try load("client: {origins: ['https://Dev.example:8443']}\n").settings
        #expect(named.originRule.letsIn("https://dev.example:8443"))
        #expect(!named.originRule.letsIn("http://localhost:3000"))
        #expect(named.clientFence.serves("dev.example") && !named.clientFence.serves("evil.example"))
        let open = try load("client: {origins: ['*']}\n").settings
        #expect(open.originRule.letsIn("https://evil.example") && open.clientFence.serves("evil.example"))
    }

    @Test(
        arguments: [
            "auth: {mode: jwt, secret: 0123456789012345678901234567890123456789}\n",
            "client: {host: 0.0.0.0}\nauth: {mode: none}\n",
        ])
    func `with tokens, or on an address that others reach, any host and page is served by default`(yaml: String) throws
    {
        let settings = try load(yaml).settings
        #expect(settings.originRule.letsIn("https://app.example") && settings.clientFence.serves("public.example"))
    }

    @Test
    func
        `the api port answers other hosts than this machine's only with keys that nobody guesses, or where a star is written`()
        throws
    {
        for key in ["local", "short", "LOCAL"] {
            let fence = try load("api: {key: \(key)}\n").settings.apiFence
            #expect(fence.serves("127.0.0.1:8081") && !fence.serves("evil.example"))
        }
        #expect(try load("api: {key: 0123456789abcdef}\n").settings.apiFence.serves("public.example"))
        #expect(try load(nil).settings.apiFence.serves("public.example"), "the key that is made at the start is long")
        #expect(try load("api: {key: local}\nclient: {origins: ['*']}\n").settings.apiFence.serves("evil.example"))
    }

    @Test func `the console's own page is let in, however narrow the list is`() throws {
        for yaml in ["client: {origins: ['https://a.example']}\n", "client: {port: 1}\n"] {
            #expect(try load(yaml).settings.originRule.letsIn("http://127.0.0.1:8081"))
        }
    }
}
