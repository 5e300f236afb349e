//! The callback.

use super::Report;
use super::run::Run;
use crate::format::{check_writable, kind_name, write_atomically};
use crate::monitor::images::check_image_shape;
use crate::monitor::note;
use crate::train::{Callback, CallbackState, Event, Flow, Trained, TrainingState};
use crate::{Error, Result};

impl Report {
    /// Better known before a long run than after.
    fn check(&self) -> Result<()> {
        if let Some(data) = &self.validation_data {
            check_image_shape("Report", data, self.image_shape.as_ref())?;
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), check_writable)?;
        match self.path.metadata().ok().map(|file| file.file_type()).filter(|kind| !kind.is_file()) {
            Some(kind) => {
                Err(Error::file(&self.path, format!("is {}, where the report is to be written", kind_name(kind))))
            }
            None => Ok(()),
        }
    }

    /// What cannot be written must not end the run.
    fn write(&self, trained: Option<&dyn Trained>) {
        let page = self.page(trained);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // It may have been removed meanwhile.
        let ready = folder.map_or(Ok(()), check_writable);
        let written = ready.and_then(|()| write_atomically(&self.path, |out| out.write_all(page.as_bytes())));
        if let Err(error) = written {
            note(&format!("the report could not be written ({error}); nothing else is affected"));
        }
    }
}

impl Callback for Report {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { .. } = event {
            self.check()?;
        }
        self.run.take(event);
        Ok(Flow::Continue)
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&self.run.kept(), Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        self.run.go_on(state.parse::<Run>("Report")?);
        Ok(())
    }

    fn on_trained(&mut self, trained: &dyn Trained) -> Result<()> {
        self.write(Some(trained));
        Ok(())
    }

    fn takes_states(&self) -> bool {
        true
    }

    /// Training is suspended: the page shows the run so far.
    fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        if is_last && !state.is_finished() {
            self.write(None);
        }
        Ok(())
    }
}
