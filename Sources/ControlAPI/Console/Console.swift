import Dialects
import GatewayCore
import Hummingbird

/// The console: a page, its scripts and its style, and what the page has to know of this deployment.
///
/// None of it needs a key: they hold nothing secret, and every call that the page makes carries the key typed into it.
struct Console: Sendable {
    let clientPort: Int
    let apiPort: Int

    func answer(_ page: ConsolePage) -> Response {
        var response = Response(contentType: page.contentType, bytes: page.bytes)
        response.headers[.contentSecurityPolicy] = Console.policy
        for field in Console.fences { response.headers[field.name] = field.value }
        return response
    }

    /// Both ports as this node was told them: where the page came by another port, a proxy stands between.
    func configuration() -> Response {
        var answer: [UInt8] = []
        JSONWriter.append(#"{"clientPort":"#, to: &answer)
        JSONWriter.append(integer: clientPort, to: &answer)
        JSONWriter.append(#","apiPort":"#, to: &answer)
        JSONWriter.append(integer: apiPort, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    /// No other site is told where it was, holds it open, or takes its parts; camera and microphone are for the call page.
    private static let fences: HTTPFields = {
        var fields = HTTPFields()
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(self), geolocation=(), microphone=(self), payment=(), usb=()"),
        ] {
            guard let name = HTTPFields.Element.Name(name) else { preconditionFailure("no name of a field: \(name)") }
            fields[name] = value
        }
        return fields
    }()

    /// Only what this port serves runs, and no text is ever taken for markup or code; WebSockets may go to any host, since the
    /// client port is another origin.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        + "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        + "require-trusted-types-for 'script'; trusted-types 'none'"
}
