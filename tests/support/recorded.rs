//! An HTTP server that answers as another one was recorded to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request that is expected, and the answer to it.
pub struct Exchange {
    request: &'static str,
    body: Value,
    status: u16,
    answer: Value,
}

impl Exchange {
    /// A request without a body, `GET /path`, and its answer.
    pub fn new(request: &'static str, status: u16, answer: Value) -> Self {
        Self { request, body: Value::Null, status, answer }
    }

    /// The body that the request has.
    pub fn told(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

/// The server; it listens as long as the test's process runs.
pub struct Recorded {
    /// Where: `http://127.0.0.1:4711`.
    pub address: String,
    expected: Arc<Mutex<VecDeque<Exchange>>>,
    surprises: Arc<Mutex<Vec<String>>>,
}

impl Recorded {
    /// Starts one that gets these requests, in this order, each with this token.
    pub fn start(token: &str, exchanges: Vec<Exchange>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let this = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            expected: Arc::new(Mutex::new(exchanges.into())),
            surprises: Arc::default(),
        };
        let (expected, surprises) = (Arc::clone(&this.expected), Arc::clone(&this.surprises));
        let authorization = format!("Bearer {token}");
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (expected, surprises) = (Arc::clone(&expected), Arc::clone(&surprises));
                let authorization = authorization.clone();
                // A client that goes away is the client's affair.
                std::thread::spawn(move || drop(serve(client, &authorization, &expected, &surprises)));
            }
        });
        this
    }

    /// All requests came, and no others.
    pub fn assert_told(&self) {
        assert_eq!(*self.surprises.lock().unwrap(), Vec::<String>::new());
        let left: Vec<_> = self.expected.lock().unwrap().iter().map(|exchange| exchange.request).collect();
        assert_eq!(left, Vec::<&str>::new());
    }
}

fn serve(
    client: TcpStream,
    authorization: &str,
    expected: &Mutex<VecDeque<Exchange>>,
    surprises: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(client);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let request = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let (mut length, mut authorized) = (0, false);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(std::io::Error::other)?,
                "authorization" => authorized = value == authorization,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let exchange = expected.lock().unwrap().pop_front();
        let (status, answer) = match exchange {
            Some(exchange) if exchange.request == request && exchange.body == body && authorized => {
                (exchange.status, exchange.answer)
            }
            other => {
                let wanted = other.map(|exchange| format!("{} {}", exchange.request, exchange.body));
                surprises
                    .lock()
                    .unwrap()
                    .push(format!("got {request} {body} (authorized: {authorized}), expected {wanted:?}"));
                (400, Value::Null)
            }
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.get_mut().write_all((head + &answer).as_bytes())?;
    }
}
