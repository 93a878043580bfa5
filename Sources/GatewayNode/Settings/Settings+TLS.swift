import Foundation
import RedisClient

extension SettingsReader {
    /// What spans the files of certificates.
    mutating func decideTLS() throws(SettingsError) {
        try check(settings.clientTLS, at: "client.tls")
        try check(settings.apiTLS, at: "api.tls")
        try checkRedis()
    }

    private func checkRedis() throws(SettingsError) {
        guard let url = settings.redisURL else { return }
        do throws(RedisURLError) {
            try RedisConfiguration(url: url).checkFiles()
        } catch {
            throw SettingsError("redis.url cannot be used: \(error)")
        }
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
