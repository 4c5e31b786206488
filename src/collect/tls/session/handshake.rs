//! One handshake of TLS 1.0 to 1.2 on a channel, the first or a later one; whole, or of a session that is resumed.

use super::channel::{Channel, Item};
use super::keys::Terms;
use super::suite::Suite;
use super::{Agreed, Failure, Time, exchange};
use crate::wire::cursor::put_vec24;
use crate::wire::key_exchange::ServerKeyExchange;
use crate::wire::record::{CHANGE_CIPHER_SPEC, HANDSHAKE};
use crate::wire::{ClientHello, ServerHello, Ticket, Version, alert, certificate, extension, flight};

/// HelloRequest: it is no part of the transcript.
const HELLO_REQUEST: u8 = 0;

/// A handshake that runs.
pub(super) struct Handshake<'a> {
    channel: &'a mut Channel,
    hello: &'a ClientHello,
    time: Time,
    messages: Vec<u8>,
    answered: &'a mut u32,
}

/// What comes next in a handshake.
enum Step {
    Message(u8, Vec<u8>),
    ChangeCipherSpec,
}

/// The server's flight between ServerHello and ServerHelloDone.
#[derive(Default)]
struct Flight {
    leaf: Option<Vec<u8>>,
    key_exchange: Option<ServerKeyExchange>,
    wants_certificate: bool,
}

impl<'a> Handshake<'a> {
    /// A handshake with this hello; `answered` counts the ServerHellos.
    pub fn new(channel: &'a mut Channel, hello: &'a ClientHello, time: Time, answered: &'a mut u32) -> Handshake<'a> {
        Handshake { channel, hello, time, messages: Vec::new(), answered }
    }

    /// Runs it to its end. `earlier` is the session that the hello asks to resume, if so.
    pub async fn run(mut self, earlier: Option<&Agreed>) -> Result<Agreed, Failure> {
        self.put_message(self.hello.to_message())?;
        self.channel.flush(self.time.end).await;
        let hello = self.server_hello().await?;
        let terms = self.terms(&hello)?;
        self.channel.set_version(terms.version);
        match (self.step().await?, earlier) {
            (step @ (Step::ChangeCipherSpec | Step::Message(flight::NEW_SESSION_TICKET, _)), Some(earlier)) => {
                self.resumed(terms, hello, step, earlier).await
            }
            (Step::Message(kind, body), _) if kind != flight::NEW_SESSION_TICKET => {
                self.whole(terms, hello, (kind, body)).await
            }
            _ => Err(Failure::Unexpected("an end of the handshake without a key exchange")),
        }
    }

    async fn server_hello(&mut self) -> Result<ServerHello, Failure> {
        let late = std::mem::replace(&mut self.time.end, self.time.first);
        let step = self.step().await;
        self.time.end = late;
        match step? {
            Step::Message(flight::SERVER_HELLO, body) => {
                *self.answered += 1;
                Ok(ServerHello::parse(&body)?)
            }
            _ => Err(Failure::Unexpected("something before ServerHello")),
        }
    }

    /// What was agreed on, if it is something that was offered and that we can do.
    fn terms(&self, hello: &ServerHello) -> Result<Terms, Failure> {
        let version = Version::from_code(hello.negotiated());
        let version = version.filter(|version| (Version::Tls10..=Version::Tls12).contains(version));
        let version = version.ok_or(Failure::Unsupported("a version without a session of ours"))?;
        if hello.compression != 0
            || !self.hello.suites.contains(&hello.suite)
            || hello.negotiated() > self.hello.version
        {
            return Err(Failure::Unexpected("an answer that was not offered"));
        }
        let suite = Suite::find(hello.suite).ok_or(Failure::Unsupported("a suite without a session of ours"))?;
        Ok(Terms {
            version,
            suite,
            client: self.hello.random,
            server: hello.random,
            encrypt_then_mac: hello.extension(extension::ENCRYPT_THEN_MAC).is_some(),
        })
    }

    async fn whole(mut self, terms: Terms, hello: ServerHello, first: (u8, Vec<u8>)) -> Result<Agreed, Failure> {
        let flight = self.flight(&terms, first).await?;
        let params = flight.key_exchange.as_ref().map(|exchange| &exchange.params);
        let offered = self.hello.version;
        let exchange = terms.suite.exchange;
        let (first, body) = exchange::answer(exchange, flight.leaf.as_ref(), params, offered, self.channel.random())?;
        if flight.wants_certificate {
            // We have none, and say so.
            self.put_message(certificate::write_chain(&[]))?;
        }
        self.put_message(exchange::message(&body))?;
        let extended = hello.extension(extension::EXTENDED_MASTER_SECRET).is_some();
        let master = match extended {
            true => terms.extended_master(&first, &self.messages),
            false => terms.master(&first),
        };
        let (client, server) = terms.protections(&master)?;
        self.channel.put(CHANGE_CIPHER_SPEC, &[1])?;
        self.channel.protect(client);
        let client_finished = self.put_finished(&terms, &master)?;
        self.channel.flush(self.time.end).await;
        let mut ticket = None;
        let mut step = self.step().await?;
        if let Step::Message(flight::NEW_SESSION_TICKET, body) = &step {
            ticket = Some(Ticket::parse(body)?);
            step = self.step().await?;
        }
        self.change_cipher_spec(step)?;
        self.channel.unprotect(server);
        let server_finished = self.read_finished(&terms, &master).await?;
        Ok(Agreed { terms, hello, resumed: false, master, extended, ticket, client_finished, server_finished })
    }

    async fn resumed(
        mut self,
        terms: Terms,
        hello: ServerHello,
        step: Step,
        earlier: &Agreed,
    ) -> Result<Agreed, Failure> {
        let (mut step, mut ticket) = (step, None);
        if let Step::Message(flight::NEW_SESSION_TICKET, body) = &step {
            ticket = Some(Ticket::parse(body)?);
            step = self.step().await?;
        }
        self.change_cipher_spec(step)?;
        let master = earlier.master.clone();
        let (client, server) = terms.protections(&master)?;
        self.channel.unprotect(server);
        let server_finished = self.read_finished(&terms, &master).await?;
        self.channel.put(CHANGE_CIPHER_SPEC, &[1])?;
        self.channel.protect(client);
        let client_finished = self.put_finished(&terms, &master)?;
        self.channel.flush(self.time.end).await;
        let extended = earlier.extended;
        Ok(Agreed { terms, hello, resumed: true, master, extended, ticket, client_finished, server_finished })
    }

    async fn flight(&mut self, terms: &Terms, first: (u8, Vec<u8>)) -> Result<Flight, Failure> {
        let mut flight = Flight::default();
        let version = terms.version.code();
        let (mut kind, mut body) = first;
        // Each message at most once, so the flight ends.
        for _ in 0..8 {
            match kind {
                flight::CERTIFICATE => flight.leaf = certificate::parse_chain(&body)?.into_iter().next(),
                flight::CERTIFICATE_STATUS => {}
                flight::SERVER_KEY_EXCHANGE => {
                    flight.key_exchange = Some(ServerKeyExchange::parse(&body, version, terms.suite.form())?);
                }
                flight::CERTIFICATE_REQUEST => flight.wants_certificate = true,
                flight::SERVER_HELLO_DONE => return Ok(flight),
                _ => return Err(Failure::Unexpected("a message that is no part of the server's flight")),
            }
            (kind, body) = match self.step().await? {
                Step::Message(kind, body) => (kind, body),
                Step::ChangeCipherSpec => return Err(Failure::Unexpected("change_cipher_spec in the server's flight")),
            };
        }
        Err(Failure::Unexpected("a flight of the server that does not end"))
    }

    fn put_message(&mut self, message: Vec<u8>) -> Result<(), Failure> {
        self.channel.put(HANDSHAKE, &message)?;
        self.messages.extend(message);
        Ok(())
    }

    fn put_finished(&mut self, terms: &Terms, master: &[u8]) -> Result<Vec<u8>, Failure> {
        let finished = terms.finished(master, "client finished", &self.messages);
        self.put_message(message(flight::FINISHED, &finished))?;
        Ok(finished)
    }

    async fn read_finished(&mut self, terms: &Terms, master: &[u8]) -> Result<Vec<u8>, Failure> {
        let expected = terms.finished(master, "server finished", &self.messages);
        match self.step().await? {
            Step::Message(flight::FINISHED, body) if body == expected => Ok(body),
            Step::Message(flight::FINISHED, _) => Err(Failure::Unexpected("a Finished message of other keys")),
            _ => Err(Failure::Unexpected("something in the place of Finished")),
        }
    }

    fn change_cipher_spec(&self, step: Step) -> Result<(), Failure> {
        match step {
            Step::ChangeCipherSpec => Ok(()),
            Step::Message(..) => Err(Failure::Unexpected("a message in the place of change_cipher_spec")),
        }
    }

    /// The next message or change_cipher_spec. Application data may still come before a later handshake's answer.
    async fn step(&mut self) -> Result<Step, Failure> {
        loop {
            match self.channel.next(self.time.end).await? {
                Item::Message(HELLO_REQUEST, _) | Item::Data(_) => {}
                Item::Message(kind, body) => {
                    self.messages.extend(message(kind, &body));
                    return Ok(Step::Message(kind, body));
                }
                Item::ChangeCipherSpec => return Ok(Step::ChangeCipherSpec),
                Item::Warning(warning) if warning.description == alert::NO_RENEGOTIATION => {
                    return Err(Failure::Alert(warning));
                }
                Item::Warning(_) => {}
                Item::Other(_) => return Err(Failure::Unexpected("a record that is no part of a handshake")),
            }
        }
    }
}

/// A handshake message, its header included.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    put_vec24(&mut message, body);
    message
}
