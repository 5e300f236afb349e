//! The server: routes, connections, and the thread that both run on.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use futures_util::Stream;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use super::guard::{Names, guard};
use super::look::{self, TagQuery};
use super::query::{self, ScalarsQuery};
use super::runs::{Runs, lock};
use super::{Control, page};
use crate::Result;

/// How long a client may take to send a header or a body.
const PATIENCE: Duration = if cfg!(test) { Duration::from_millis(700) } else { Duration::from_secs(10) };

/// How many bytes of a header and of a body are read.
const LONGEST_HEADER: usize = 16 << 10;
const LONGEST_BODY: usize = 4 << 10;

/// How many connections are served at a time; others wait.
const MOST_CONNECTIONS: usize = 512;

/// How often runs are looked at while somebody watches.
const POLL: Duration = Duration::from_secs(1);

/// What all requests share.
pub(super) struct App {
    pub runs: Runs,
    pub control: Control,
    pub token: String,
    pub names: Names,
    /// The number of the last change that pages were told of.
    changed: watch::Sender<u64>,
    /// Has runs looked at soon.
    nudge: Notify,
    /// When runs were looked at last.
    polled: Mutex<Option<Instant>>,
    has_polled: AtomicBool,
}

impl App {
    pub fn new(runs: Runs, control: Control, token: String, names: Names) -> App {
        let (changed, _) = watch::channel(0);
        App {
            runs,
            control,
            token,
            names,
            changed,
            nudge: Notify::new(),
            polled: None.into(),
            has_polled: false.into(),
        }
    }

    /// Looks at the runs unless that was done just now. Where another thread does, its outcome is not waited for, but
    /// for the first.
    fn poll(&self, oldest: Duration) {
        let mut polled = match self.polled.try_lock() {
            Err(TryLockError::WouldBlock) if self.has_polled.load(Ordering::Acquire) => return,
            Ok(polled) => polled,
            Err(_) => lock(&self.polled),
        };
        if polled.is_none_or(|time| time.elapsed() >= oldest) {
            self.runs.poll();
            *polled = Some(Instant::now());
            self.has_polled.store(true, Ordering::Release);
            let version = self.runs.version();
            self.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    }
}

/// Serves until `stop` is dropped. Whatever clients do, training is not held up: this thread only reads files.
pub(super) fn run(listener: TcpListener, app: App, stop: oneshot::Receiver<()>) -> std::io::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().enable_time().max_blocking_threads(2).build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let app = Arc::new(app);
        tokio::spawn(watch_runs(app.clone()));
        tokio::spawn(accept(listener, router(app)));
        // An error is the drop of the other end.
        let _ = stop.await;
        Ok::<(), std::io::Error>(())
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(permit) = room.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, say: others close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEADER);
            // What a client does wrong ends its own connection.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

/// Looks at the runs every second while a page is open.
async fn watch_runs(app: Arc<App>) {
    // The first page finds the runs read.
    app.nudge.notify_one();
    loop {
        let is_asked = tokio::time::timeout(POLL, app.nudge.notified()).await.is_ok();
        if is_asked || app.changed.receiver_count() > 0 {
            let app = app.clone();
            let _ = tokio::task::spawn_blocking(move || app.poll(Duration::ZERO)).await;
        }
    }
}

fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/events", get(events))
        .route("/api/runs", get(list))
        .route("/api/tags", get(tags))
        .route("/api/scalars", get(scalars))
        .route("/api/histograms", get(histograms))
        .route("/api/confusion", get(confusion))
        .route("/api/pr_curves", get(pr_curves))
        .route("/api/samples", get(samples))
        .route("/api/images", get(image_steps))
        .route("/api/image", get(image))
        .route("/api/text", get(text))
        .route("/api/control", get(status).post(change));
    for (path, kind, text) in page::FILES {
        router = router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }));
    }
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") })
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// A request that brings a body has to bring it in time.
async fn in_time(request: axum::extract::Request, next: middleware::Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}

/// An error is one line.
fn fail(error: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}

/// Answers away from the thread that serves connections.
async fn answer<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T, Response> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(fail),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()),
    }
}

async fn json<T: Serialize + Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Response {
    let text = move || {
        let answer = work()?;
        serde_json::to_vec(&answer).map_err(|error| crate::Error::Data(error.to_string()))
    };
    match answer(text).await {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn list(State(app): State<Arc<App>>, Query(query): Query<Since>) -> Response {
    json(move || {
        app.poll(POLL);
        Ok(query::list(&app.runs, query.since))
    })
    .await
}

#[derive(Deserialize)]
struct Chosen {
    runs: String,
}

async fn tags(State(app): State<Arc<App>>, Query(query): Query<Chosen>) -> Response {
    json(move || {
        let tags = look::tags(&app.runs, &query.runs);
        if tags.pending > 0 {
            app.nudge.notify_one();
        }
        Ok(tags)
    })
    .await
}

async fn scalars(State(app): State<Arc<App>>, Query(query): Query<ScalarsQuery>) -> Response {
    json(move || query::scalars(&app.runs, &query)).await
}

async fn histograms(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::histograms(&app.runs, &query)).await
}

async fn confusion(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::confusion(&app.runs, &query)).await
}

async fn image_steps(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::image_steps(&app.runs, &query)).await
}

async fn image(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    match answer(move || look::image(&app.runs, &query)).await {
        Ok(image) => ([(CONTENT_TYPE, "image/png")], image).into_response(),
        Err(response) => response,
    }
}

async fn pr_curves(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::pr_curves(&app.runs, &query)).await
}

async fn samples(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::samples(&app.runs, &query)).await
}

async fn text(State(app): State<Arc<App>>, Query(query): Query<TagQuery>) -> Response {
    json(move || look::text(&app.runs, &query)).await
}

async fn status(State(app): State<Arc<App>>) -> Response {
    Json(app.control.status()).into_response()
}

/// What a page asks of training.
#[derive(Deserialize)]
#[serde(tag = "action", content = "value", rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    Pause,
    Resume,
    Stop,
    LearningRate(f64),
}

async fn change(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let change = match serde_json::from_slice(&body) {
        Err(error) => return fail(format!("the request is not understood: {error}")),
        Ok(_) if !app.control.is_attached() => return fail("no training is going on here"),
        Ok(change) => change,
    };
    match change {
        Change::Pause => app.control.pause(),
        Change::Resume => app.control.resume(),
        Change::Stop => app.control.stop(),
        Change::LearningRate(rate) => {
            if let Err(error) = app.control.set_learning_rate(rate) {
                return fail(error);
            }
        }
    }
    Json(app.control.status()).into_response()
}

/// Tells a page which runs have changed, as long as it is open. What a slow page misses comes together later.
async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = app.changed.subscribe();
    let first = app.runs.version();
    app.nudge.notify_one();
    let stream = futures_util::stream::unfold((app, changes, None), move |(app, mut changes, known)| async move {
        let Some(known) = known else {
            let event = Event::default().data(format!("{{\"version\":{first}}}"));
            return Some((Ok(event), (app, changes, Some(first))));
        };
        changes.wait_for(|version| *version > known).await.ok()?;
        let version = *changes.borrow_and_update();
        let event = Event::default().data(format!("{{\"version\":{version}}}"));
        Some((Ok(event), (app, changes, Some(version))))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
