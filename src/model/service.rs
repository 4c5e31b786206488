//! The services that TLS is looked at for: the word that names each, its port, and how TLS begins in it.

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The word in `probity.yaml` and before `://`, for example `smtp`.
    pub word: &'static str,
    /// The port where none is written.
    pub port: u16,
    /// How TLS begins.
    pub start: Start,
    /// The application protocols that its clients offer in the handshake.
    pub alpn: &'static [&'static str],
    /// Mail, whose servers count connections and slow down those who make many at once.
    pub mail: bool,
}

/// How TLS begins in a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first byte, and what follows is HTTP.
    Web,
    /// With the first byte.
    Direct,
    /// After a dialogue, which has this name.
    Upgrade(&'static str),
}

const WEB: &[&str] = &["h2", "http/1.1"];

const fn upgrade(word: &'static str, port: u16, dialogue: &'static str, alpn: &'static [&'static str]) -> Service {
    Service { word, port, start: Start::Upgrade(dialogue), alpn, mail: false }
}

const fn direct(word: &'static str, port: u16, alpn: &'static [&'static str]) -> Service {
    Service { word, port, start: Start::Direct, alpn, mail: false }
}

const fn web(word: &'static str, port: u16) -> Service {
    Service { word, port, start: Start::Web, alpn: WEB, mail: false }
}

const fn mail(service: Service) -> Service {
    Service { mail: true, ..service }
}

/// Every service: first those in which TLS is asked for, then those that begin with it.
pub const SERVICES: &[Service] = &[
    mail(upgrade("smtp", 25, "smtp", &["smtp"])),
    mail(upgrade("submission", 587, "smtp", &["smtp"])),
    mail(upgrade("lmtp", 24, "lmtp", &[])),
    mail(upgrade("imap", 143, "imap", &["imap"])),
    mail(upgrade("pop3", 110, "pop3", &["pop3"])),
    mail(upgrade("sieve", 4190, "sieve", &["managesieve"])),
    upgrade("ftp", 21, "ftp", &["ftp"]),
    upgrade("nntp", 119, "nntp", &["nntp"]),
    upgrade("xmpp", 5222, "xmpp", &["xmpp-client"]),
    upgrade("xmpp-server", 5269, "xmpp-server", &["xmpp-server"]),
    upgrade("irc", 6667, "irc", &["irc"]),
    upgrade("ldap", 389, "ldap", &[]),
    upgrade("postgresql", 5432, "postgresql", &["postgresql"]),
    upgrade("mysql", 3306, "mysql", &[]),
    upgrade("mssql", 1433, "mssql", &[]),
    upgrade("rdp", 3389, "rdp", &[]),
    upgrade("amqp", 5672, "amqp", &[]),
    upgrade("telnet", 23, "telnet", &[]),
    mail(direct("smtps", 465, &["smtp"])),
    mail(direct("imaps", 993, &["imap"])),
    mail(direct("pop3s", 995, &["pop3"])),
    direct("ftps", 990, &["ftp"]),
    direct("nntps", 563, &["nntp"]),
    direct("xmpps", 5223, &["xmpp-client"]),
    direct("xmpps-server", 5270, &["xmpp-server"]),
    direct("ircs", 6697, &["irc"]),
    direct("ldaps", 636, &[]),
    direct("postgresql-direct", 5432, &["postgresql"]),
    direct("mssql-strict", 1433, &["tds/8.0"]),
    direct("mongodb", 27017, &[]),
    direct("rediss", 6379, &[]),
    direct("amqps", 5671, &[]),
    direct("mqtts", 8883, &["mqtt"]),
    direct("dot", 853, &["dot"]),
    web("https", 443),
    web("elasticsearch", 9200),
    web("kubernetes", 6443),
    web("etcd", 2379),
];

/// The words of the services in which TLS is asked for.
pub const UPGRADES: &[&str] = &[
    "smtp",
    "submission",
    "lmtp",
    "imap",
    "pop3",
    "sieve",
    "ftp",
    "nntp",
    "xmpp",
    "xmpp-server",
    "irc",
    "ldap",
    "postgresql",
    "mysql",
    "mssql",
    "rdp",
    "amqp",
    "telnet",
];

impl Service {
    /// The service of this word. Other usual words for the same are understood, too.
    pub fn find(word: &str) -> Option<&'static Service> {
        let word = word.to_ascii_lowercase();
        let word = match word.as_str() {
            "postgres" => "postgresql",
            "mariadb" => "mysql",
            "sqlserver" => "mssql",
            "submissions" => "smtps",
            "managesieve" => "sieve",
            "xmpp-client" => "xmpp",
            other => other,
        };
        SERVICES.iter().find(|service| service.word == word)
    }

    /// The name of the dialogue before TLS, where there is one.
    pub fn dialogue(&self) -> Option<&'static str> {
        match self.start {
            Start::Upgrade(dialogue) => Some(dialogue),
            Start::Direct | Start::Web => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_the_list_of_upgrades_is_that_of_the_table() {
        let mut words: Vec<_> = SERVICES.iter().map(|service| service.word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), SERVICES.len());
        let upgrades: Vec<_> = SERVICES.iter().filter(|one| one.dialogue().is_some()).map(|one| one.word).collect();
        assert_eq!(upgrades, UPGRADES);
    }

    #[test]
    fn other_words_are_understood() {
        assert_eq!(Service::find("MariaDB").map(|service| service.word), Some("mysql"));
        assert_eq!(Service::find("imaps").map(|service| (service.port, service.mail)), Some((993, true)));
        assert_eq!(Service::find("gopher"), None);
    }
}
