//! A small FTP server without TLS that does whatever a test wants, honest or not.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    task::JoinSet,
};

/// How it behaves.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Said instead of a greeting.
    pub greeting: Option<Vec<u8>>,
    /// Connections that are let in; the rest hear 421. None: all.
    pub allowed: Option<usize>,
    /// What `AUTH` is answered, to the last byte.
    pub auth: Option<&'static str>,
    /// It knows `MLSD`.
    pub mlsd: bool,
    /// It knows `PASV` only, and names this address in it.
    pub pasv: Option<Ipv4Addr>,
    /// What directories hold; a path that is not there gets `everywhere`.
    pub listings: BTreeMap<&'static str, String>,
    /// What every other directory holds.
    pub everywhere: Option<String>,
    /// A listing repeats its last line for ever.
    pub endless: bool,
    pub files: BTreeMap<&'static str, Vec<u8>>,
    /// Sent of each file the first time, before the connection is cut.
    pub cut_after: Option<usize>,
    /// Sent of each file, and called complete.
    pub short: Option<usize>,
    /// `REST` is not known.
    pub no_rest: bool,
}

/// A running one; ends with the value.
pub struct FakeFtp {
    pub port: u16,
    /// Every line that came, without passwords.
    pub heard: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl FakeFtp {
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its own").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let behaviour = Arc::new(behaviour);
        let shared = (
            Arc::clone(&heard),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        task.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, connections, cuts) = shared.clone();
                let session = Session {
                    behaviour: Arc::clone(&behaviour),
                    heard,
                    cuts,
                    number: connections.fetch_add(1, Ordering::SeqCst),
                    listener: None,
                    directory: "/".into(),
                    offset: 0,
                };
                // A client that hangs up ends its session.
                sessions.spawn(async move { session.serve(stream).await.unwrap_or_default() });
            }
        });
        Self {
            port,
            heard,
            _task: task,
        }
    }

    pub fn heard(&self, start: &str) -> usize {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    }
}

struct Session {
    behaviour: Arc<Behaviour>,
    heard: Arc<Mutex<Vec<String>>>,
    cuts: Arc<AtomicUsize>,
    number: usize,
    listener: Option<TcpListener>,
    directory: String,
    offset: usize,
}

impl Session {
    async fn serve(mut self, stream: TcpStream) -> std::io::Result<()> {
        let (lines, mut out) = stream.into_split();
        let mut lines = BufReader::new(lines).lines();
        let behaviour = Arc::clone(&self.behaviour);
        if behaviour.allowed.is_some_and(|allowed| self.number >= allowed) {
            return out
                .write_all(b"421 There are too many connections from your internet address.\r\n")
                .await;
        }
        let greeting = behaviour
            .greeting
            .clone()
            .unwrap_or_else(|| b"220 Fake FTP\r\n".to_vec());
        out.write_all(&greeting).await?;
        while let Some(line) = lines.next_line().await? {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let shown = if verb == "PASS" { "PASS" } else { &line };
            self.heard.lock().unwrap().push(shown.to_owned());
            match self.answer(verb, argument, &mut out).await? {
                Some(answer) => out.write_all(format!("{answer}\r\n").as_bytes()).await?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// What to say last; `None` to hang up.
    async fn answer(
        &mut self,
        verb: &str,
        argument: &str,
        out: &mut OwnedWriteHalf,
    ) -> std::io::Result<Option<String>> {
        let behaviour = Arc::clone(&self.behaviour);
        let answer = match verb {
            "USER" => "331 Password".into(),
            "PASS" => "230 Welcome".into(),
            "AUTH" => behaviour.auth.unwrap_or("502 AUTH not understood").into(),
            "FEAT" if behaviour.mlsd => "211-Features:\r\n MLSD\r\n SIZE\r\n211 End".into(),
            "FEAT" => "211-Features:\r\n SIZE\r\n211 End".into(),
            "TYPE" | "QUIT" => "200 Fine".into(),
            "PWD" => "257 \"/\"".into(),
            "CWD" if behaviour.files.contains_key(argument) => "550 No directory".into(),
            "CWD" if self.listing(argument).is_none() => "550 No directory".into(),
            "CWD" => {
                self.directory = argument.into();
                "250 There".into()
            }
            "SIZE" => match behaviour.files.get(argument) {
                Some(file) => format!("213 {}", file.len()),
                None => "550 No file".into(),
            },
            "EPSV" if behaviour.pasv.is_none() => format!("229 Extended (|||{}|)", self.listen().await?),
            "PASV" => {
                let (address, port) = (behaviour.pasv.expect("PASV is known"), self.listen().await?);
                let [a, b, c, d] = address.octets();
                format!("227 Passive ({a},{b},{c},{d},{},{})", port / 256, port % 256)
            }
            "REST" if behaviour.no_rest => "502 REST not understood".into(),
            "REST" => {
                self.offset = argument.parse().expect("a number");
                "350 Restarting".into()
            }
            "LIST" => self.list(&self.directory.clone(), out).await?,
            "MLSD" => self.list(argument, out).await?,
            "RETR" => return self.retrieve(argument, out).await,
            _ => format!("502 {verb} not understood"),
        };
        Ok(Some(answer))
    }

    fn listing(&self, path: &str) -> Option<&String> {
        self.behaviour.listings.get(path).or(self.behaviour.everywhere.as_ref())
    }

    async fn listen(&mut self) -> std::io::Result<u16> {
        let listener = self.listener.insert(TcpListener::bind("127.0.0.1:0").await?);
        Ok(listener.local_addr()?.port())
    }

    async fn data(&mut self, out: &mut OwnedWriteHalf) -> std::io::Result<TcpStream> {
        out.write_all(b"150 Here it comes\r\n").await?;
        let listener = self.listener.take().expect("EPSV or PASV before");
        Ok(listener.accept().await?.0)
    }

    async fn list(&mut self, path: &str, out: &mut OwnedWriteHalf) -> std::io::Result<String> {
        let Some(lines) = self.listing(path).cloned() else {
            return Ok("550 No directory".into());
        };
        let mut data = self.data(out).await?;
        data.write_all(lines.as_bytes()).await?;
        let last = lines
            .lines()
            .last()
            .map(|line| format!("{line}\r\n").repeat(1000))
            .unwrap_or_default();
        if self.behaviour.endless {
            loop {
                data.write_all(last.as_bytes()).await?;
            }
        }
        Ok("226 Done".into())
    }

    async fn retrieve(&mut self, path: &str, out: &mut OwnedWriteHalf) -> std::io::Result<Option<String>> {
        let behaviour = Arc::clone(&self.behaviour);
        let Some(file) = behaviour.files.get(path) else {
            return Ok(Some("550 No file".into()));
        };
        let mut data = self.data(out).await?;
        let rest = &file[std::mem::take(&mut self.offset)..];
        if let Some(cut) = behaviour
            .cut_after
            .filter(|_| self.cuts.fetch_add(1, Ordering::SeqCst) == 0)
        {
            data.write_all(&rest[..cut]).await?;
            data.flush().await?;
            return Ok(None);
        }
        data.write_all(&rest[..behaviour.short.unwrap_or(rest.len()).min(rest.len())])
            .await?;
        Ok(Some("226 Done".into()))
    }
}
