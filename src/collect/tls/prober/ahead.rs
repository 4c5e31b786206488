//! Connections opened ahead of need.

use super::{Outcome, Prober, Question, probe};
use std::time::Duration;
use tokio::time::Instant;

/// A server that answers beside an idle connection does so within this time.
const SOON: Duration = Duration::from_millis(500);

/// Whether connections are opened ahead of need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Not to this target, or not yet.
    #[default]
    No,
    /// The server answers others while one is idle.
    Yes,
    /// The same, and it was seen to end connections that had not been idle without a word: that is its way to refuse.
    Blunt,
}

impl Prober<'_> {
    /// One connection with this question; also whether it had been opened ahead.
    pub(super) async fn put_once(&self, question: &Question<'_>) -> (Outcome, bool) {
        let ahead = self.state().ahead;
        let spare = match ahead {
            Ahead::No => None,
            Ahead::Yes | Ahead::Blunt => self.budget.spare(self.address).await.filter(|_| self.stopped().is_none()),
        };
        let waited = spare.is_some();
        let look = async {
            let opened = match spare {
                Some(stream) => Ok(stream),
                None => self.open().await,
            };
            match opened {
                Ok(stream) => {
                    self.open_ahead();
                    let begin = Instant::now();
                    let outcome = probe::tls(stream, question, self.upgrade.patience()).await;
                    if outcome.is_tls() && question.pieces.len() == 1 {
                        self.note_round_trip(begin.elapsed());
                    }
                    outcome
                }
                Err(trouble) => Outcome::NoTransport(trouble),
            }
        };
        (self.unless_stopped(look).await, waited)
    }

    /// The question that comes now will be followed by another: a connection for it is opened as soon as this one has
    /// its own, where the server bears that.
    pub fn more_follows(&self) {
        self.state().followed += 1;
    }

    fn open_ahead(&self) {
        let wanted = {
            let mut state = self.state();
            let wanted = state.followed > 0 && state.ahead != Ahead::No;
            state.followed = state.followed.saturating_sub(1);
            wanted
        };
        if wanted {
            self.budget.ahead(self.address);
        }
    }

    /// Closes what was opened ahead.
    pub fn close_spares(&self) {
        self.budget.close_spares(self.address);
    }

    /// Does this while a connection is idle that was made before, unless the server is to be led to TLS first. If it
    /// answers all the same, it bears connections that are opened ahead; if not soon, the one that is idle is closed.
    pub async fn beside_an_idle_one<T>(&self, look: impl Future<Output = T>) -> T {
        if self.upgrade.word().is_some() {
            return look.await;
        }
        self.budget.ahead(self.address);
        let answered = || self.state().fastest.is_some();
        let mut look = std::pin::pin!(look);
        let early = tokio::select! {
            done = &mut look => Some(done),
            () = tokio::time::sleep(SOON) => None,
        };
        let bears = early.is_some() || answered();
        if !bears {
            self.close_spares();
        }
        let done = match early {
            Some(done) => done,
            None => look.await,
        };
        if bears && answered() {
            self.state().ahead = Ahead::Yes;
        } else {
            self.close_spares();
        }
        done
    }
}
