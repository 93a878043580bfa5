import ControlAPI
import Testing

@Suite struct APIKeysTests {
    @Test func `every key is accepted wherever it stands and nothing near it`() {
        let texts = ["first", "second", "third-and-longer", "é"]
        let keys = APIKeys(texts.map { BackendKey(name: $0, key: $0, scopes: [.admin]) })
        for key in texts { #expect(keys.key(key)?.name == key) }
        for key in ["", "firs", "firstt", "First", "irst", " first", "firstsecond", "e\u{301}", "third-and-longes"] {
            #expect(keys.key(key) == nil)
        }
    }

    @Test(arguments: [
        ("Bearer k", "k"), ("bearer  k", "k"), ("BEARER a b", "a b"), ("Bearer", nil), ("Bearer ", nil),
        ("Bearerk", nil),
        ("Basic k", nil), ("", nil), ("k", nil),
    ])
    func `the key is what follows the bearer scheme`(_ field: String, _ key: String?) {
        #expect(APIKeys.bearer(in: field) == key)
    }
}
