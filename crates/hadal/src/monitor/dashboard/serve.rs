//! Starting and stopping the dashboard.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use etcetera::BaseStrategy;
use tokio::sync::oneshot;

use super::Control;
use super::guard::{Names, shown};
use super::runs::Runs;
use super::server::{self, App};
use crate::monitor::note;
use crate::train::{Callback, Event, Flow};
use crate::{Error, Result};

/// How many ports are tried.
const PORTS: u16 = 100;

/// Settings of the dashboard, and the callback that shows a run of `fit`.
///
/// ```
/// use hadal::monitor::dashboard::Dashboard;
/// use hadal::monitor::tensorboard::TensorBoard;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// # let port = 0;
/// let fit = Fit::epochs(5)
///     .callback(TensorBoard::new(runs.join("first")))
///     .callback(Dashboard::serve([runs]).port(port)); // prints the address
/// model.fit(&data, fit.quiet())?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// As a callback it serves while `fit` runs; a [`Server`] does as long as it is kept.
pub struct Dashboard {
    folders: Vec<PathBuf>,
    listen: String,
    port: u16,
    cache: Option<PathBuf>,
    control: Control,
    server: Option<Server>,
}

impl Dashboard {
    /// Shows the runs below these folders.
    pub fn serve<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> Dashboard {
        let folders = folders.into_iter().map(|folder| folder.as_ref().to_owned()).collect();
        let cache = etcetera::choose_base_strategy().ok();
        let cache = cache.map(|strategy| strategy.cache_dir().join("hadal").join("dashboard"));
        Dashboard { folders, listen: "127.0.0.1".into(), port: 7860, cache, control: Control::default(), server: None }
    }

    /// The port; the next free one where it is in use, with a note on standard error. 0 is any that is free. Default:
    /// 7860.
    pub fn port(mut self, port: u16) -> Dashboard {
        self.port = port;
        self
    }

    /// The address or name that the server listens at. Default: `127.0.0.1`, which this machine alone can reach. With
    /// `0.0.0.0` all who reach this machine can see the runs; they need the token to change training.
    pub fn listen(mut self, host: impl Into<String>) -> Dashboard {
        self.listen = host.into();
        self
    }

    /// The folder in which it is kept what was read of events files and histories of more than 4 MiB: their points, and
    /// the least and the largest of each 16, 256 and 4096, of which a chart reads what it shows. They open at once next
    /// time. Nothing is lost with it; where it cannot be written, a note on standard error says so. Default:
    /// `hadal/dashboard` in the platform's cache folder.
    pub fn cache(mut self, folder: impl AsRef<Path>) -> Dashboard {
        self.cache = Some(folder.as_ref().to_owned());
        self
    }

    /// What the page's buttons act on. Default: a control of its own.
    pub fn control(mut self, control: Control) -> Dashboard {
        self.control = control;
        self
    }

    /// Starts the server on a thread of its own.
    ///
    /// # Errors
    /// If the address is not this machine's, or no port is free.
    pub fn start(&self) -> Result<Server> {
        let (listener, address) = self.bind()?;
        let token = token()?;
        // Names may stand for several addresses.
        let host = match address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            _ => shown(self.listen.as_str()),
        };
        let url = format!("http://{host}:{}/", address.port());
        if !address.ip().is_loopback() {
            note(&format!("the dashboard listens at {}: all who reach this machine can see the runs", self.listen));
        }
        let names = Names::new(&self.listen, address.port());
        let app =
            App::new(Runs::new(self.folders.clone(), self.cache.clone()), self.control.clone(), token.clone(), names);
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            if let Err(error) = server::run(listener, app, stopped) {
                note(&format!("the dashboard has ended: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name("dashboard".into()).spawn(serve);
        let thread = thread.map_err(|error| Error::Config(format!("the dashboard cannot be started: {error}")))?;
        Ok(Server { url, token, control: self.control.clone(), stop: Some(stop), thread: Some(thread) })
    }

    /// A listener at the port, or at the next one that is free.
    fn bind(&self) -> Result<(TcpListener, SocketAddr)> {
        let fail = |reason: String| Error::Config(format!("the dashboard cannot listen at {}: {reason}", self.listen));
        let host = self.listen.trim_matches(['[', ']']);
        let ip = match host.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) => {
                let mut found = (host, 0).to_socket_addrs().map_err(|error| fail(error.to_string()))?;
                // `localhost` may be both; browsers try both.
                let all: Vec<IpAddr> = found.by_ref().map(|address| address.ip()).collect();
                let first = all.iter().find(|ip| ip.is_ipv4()).or(all.first()).copied();
                first.ok_or_else(|| fail("the name has no address".into()))?
            }
        };
        for port in (0..PORTS).map_while(|number| self.port.checked_add(number)) {
            match TcpListener::bind((ip, port)) {
                Ok(listener) => {
                    let address = listener.local_addr().map_err(|error| fail(error.to_string()))?;
                    listener.set_nonblocking(true).map_err(|error| fail(error.to_string()))?;
                    if self.port != 0 && port != self.port {
                        note(&format!("port {} is in use; the dashboard takes {port}", self.port));
                    }
                    return Ok((listener, address));
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => return Err(fail(format!("port {port}: {error}"))),
            }
        }
        Err(fail(format!("the ports from {} on are all in use", self.port)))
    }
}

/// 128 random bits, as text.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Config(format!("no random numbers for a token: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A dashboard that is served until this is dropped.
pub struct Server {
    url: String,
    token: String,
    control: Control,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The page's address. It shows runs; to change training it needs the [token](Server::token).
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What requests that change training have to bring, new with each start.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The page's address with the token, which the page keeps to itself: `http://127.0.0.1:7860/#token=...`.
    pub fn url_with_token(&self) -> String {
        format!("{}#token={}", self.url, self.token)
    }

    /// What the page's buttons act on; give it to `fit` as a callback.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Its panic has been said.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Callback for Dashboard {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { .. } = event
            && self.server.is_none()
        {
            let server = self.start()?;
            note(&format!("the dashboard is at {}", server.url_with_token()));
            self.server = Some(server);
        }
        self.control.on_event(event)
    }

    fn new_learning_rate(&mut self) -> Option<f64> {
        self.control.new_learning_rate()
    }
}
