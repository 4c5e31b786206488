//! A client that understands nothing: it sends, to every address, the very bytes that were sent to one, and reads as much
//! as came back then. What it needs is the floor for a scanner that asks the same.

use crate::proxy::Passed;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Addresses side by side, and connections to each.
const PARALLEL: usize = 64;
const CONNECTIONS: usize = 8;
/// Answers differ a little in length from run to run.
const SLACK: usize = 64;
/// A server whose answer is shorter than it was is waited for so long.
const PATIENCE: Duration = Duration::from_millis(200);

/// Replays `FILE PORT` to the addresses that the file of `LIST` names; gives the seconds.
pub fn print(words: &[&str]) -> String {
    let [file, list] = words else { return "bare FILE LIST".to_owned() };
    let script: Arc<Vec<Vec<Passed>>> = Arc::new(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap());
    let text = std::fs::read_to_string(list).unwrap();
    let addresses: Vec<SocketAddr> = text.lines().map(|line| line.parse().unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let begin = Instant::now();
    runtime.block_on(async {
        let places = Arc::new(Semaphore::new(PARALLEL));
        let mut tasks = Vec::new();
        for address in addresses {
            let (script, place) = (Arc::clone(&script), Arc::clone(&places).acquire_owned().await.unwrap());
            tasks.push(tokio::spawn(async move {
                let gate = Semaphore::new(CONNECTIONS);
                let all = script.iter().map(|conversation| async {
                    let _one = gate.acquire().await;
                    replay(address, conversation).await.is_some()
                });
                futures_util::future::join_all(all).await;
                drop(place);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    format!("{:.2}", begin.elapsed().as_secs_f64())
}

async fn replay(address: SocketAddr, conversation: &[Passed]) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 16 * 1024];
    let (mut owed, mut read) = (0, 0);
    let mut pieces = conversation.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Passed::Sent(bytes) => stream.write_all(bytes).await.ok()?,
            Passed::Got(count) => {
                owed += count;
                // Several in a row are one answer.
                if matches!(pieces.peek(), Some(Passed::Got(_))) {
                    continue;
                }
                while read + SLACK < owed.max(SLACK + 1) {
                    match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await {
                        Ok(Ok(0) | Err(_)) => return Some(()),
                        Ok(Ok(count)) => read += count,
                        Err(_) => break,
                    }
                }
            }
        }
    }
    Some(())
}
