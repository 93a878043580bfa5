import Archive
import Testing

@Suite("Where an archive is")
struct ArchiveURLTests {
    @Test func `a URL tells database, user, password and protection`() throws {
        let url = try ArchiveURL("postgres://us%40er:p%2Fw%3F@db.example:6543/chat?tls=verify&ca=/etc/ca.pem")
        #expect(url.kind == .postgreSQL)
        #expect(url.host == "db.example")
        #expect(url.port == 6543)
        #expect(url.user == "us@er")
        #expect(url.password == "p/w?")
        #expect(url.database == "chat")
        #expect(url.security == .verify)
        #expect(url.authorityFile == "/etc/ca.pem")
        #expect("\(url)" == "postgres://db.example:6543/chat")
    }

    @Test func `TLS that verifies is the default for all but this machine`() throws {
        #expect(try ArchiveURL("mysql://u@db/chat").security == .verify)
        #expect(try ArchiveURL("mysql://u@db/chat?tls=off").security == .off)
        #expect(try ArchiveURL("mysql://u@127.0.0.1/chat").security == .off)
        #expect(try ArchiveURL("postgres://u@[::1]:5433/chat").security == .off)
        #expect(try ArchiveURL("postgres://u@/chat?socket=/run/postgresql").socket == "/run/postgresql")
    }

    @Test(arguments: [
        "chat", "http://db/chat", "postgres://db", "postgres://db/", "mysql://db:0/chat", "mysql://db:x/chat",
        "mysql:///chat", "postgres://u@db/chat?tls=maybe", "postgres://u@db/chat?what=1", "sqlite://archive.db",
        "sqlite:///folder/", "postgres://u:%zz@db/chat", "postgres://u:%00@db/chat",
    ])
    func `what cannot be used is refused`(_ text: String) {
        #expect(throws: ArchiveURL.Failure.self) { try ArchiveURL(text) }
    }
}
