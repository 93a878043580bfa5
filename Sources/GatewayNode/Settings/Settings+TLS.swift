import Foundation

extension SettingsReader {
    /// What spans the files of certificates.
    mutating func decideTLS() throws(SettingsError) {
        try check(settings.clientTLS, at: "client.tls")
        try check(settings.apiTLS, at: "api.tls")
    }

    private mutating func check(_ files: TLSFiles, at place: String) throws(SettingsError) {
        guard files.certificateFile != nil || files.keyFile != nil else {
            guard files.clientAuthorityFile == nil else {
                throw SettingsError("\(place).clientCaFile needs \(place).certificateFile and \(place).keyFile")
            }
            return
        }
        do throws(TLSProblem) {
            let certificate = try PortCertificate(files)
            if let problem = certificate.problem(at: Int64(Date().timeIntervalSince1970)) {
                warnings.append("\(place).certificateFile \(problem): clients will not take it")
            }
        } catch {
            throw SettingsError("\(place)\(error)")
        }
    }
}
