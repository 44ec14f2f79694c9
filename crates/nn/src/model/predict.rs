//! What a model says of records in the clear, and how good that is.

use super::{Model, Target, Task, content};

type Result<T, E = super::ModelError> = std::result::Result<T, E>;

use crate::layers::{Formats, Mode};
use ndarray::Array2;
use trefoil_engine::{Engine, Float, Format};

/// The class of each row of outputs, [rows, outputs]: the first of the largest, or of two classes with one output the second where that is
/// not negative.
pub fn classes(z: &Array2<f64>) -> Vec<usize> {
    if z.ncols() == 1 {
        return z.iter().map(|z| usize::from(*z >= 0.0)).collect();
    }
    let first_largest = |row: ndarray::ArrayView1<f64>| (0..row.len()).rev().max_by(|&i, &j| row[i].total_cmp(&row[j]));
    z.rows().into_iter().map(|row| first_largest(row).unwrap_or_default()).collect()
}

/// The probability of each class from outputs, [rows, classes]: softmax, or of one output z 1 - sigmoid(z) and sigmoid(z).
pub fn probabilities(mut z: Array2<f64>) -> Array2<f64> {
    if z.ncols() == 1 {
        // sigmoid(z) is the second of softmax(0, z).
        z = Array2::from_shape_fn((z.nrows(), 2), |(i, class)| if class == 1 { z[[i, 0]] } else { 0.0 });
    }
    for mut row in z.rows_mut() {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|v| (v - most).exp());
        let sum = row.sum();
        row.mapv_inplace(|v| v / sum);
    }
    z
}

/// The values of a regression in the target's own unit, where it is known what that is.
pub fn in_units(mut z: Array2<f64>, target: Option<Target>) -> Array2<f64> {
    if let Some(t) = target {
        z.mapv_inplace(|v| t.mean + t.deviation * v);
    }
    z
}

impl Model {
    /// The outputs for each row of `x`, [rows, inputs]: logits, or the value of a regression.
    ///
    /// # Errors
    /// [`ModelError::Content`](super::ModelError::Content) if `x` has another number of columns than the network has inputs, or a
    /// value that is not finite.
    pub fn logits(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let inputs = self.network.width();
        if x.ncols() != inputs {
            return Err(content("model", "features of the data", x.ncols(), inputs));
        }
        // Floating point knows no range; the least format lets every sum pass.
        let (e, format) = (&mut Float, Format { frac: 0, bits: 1 });
        let wrong = |e| content("model", "records", e, "finite numbers");
        let params =
            self.params.iter().map(|p| e.public(&p.mapv(f64::from), format)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let x = e.public(x, format).map_err(wrong)?;
        let formats = vec![Formats { out: format, widen: 0 }; self.graph().nodes.len()];
        let (z, _) = self.network.forward(e, &params, &formats, &x, Mode::Evaluate).map_err(wrong)?;
        Ok(z.value)
    }

    /// For each row of `x`, [rows, inputs]: the probability of each class, by softmax, or by sigmoid where two have one output; or the value
    /// of a regression, in the target's own unit where the model says what that is.
    ///
    /// # Errors
    /// As for [`Model::logits`].
    pub fn answers(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        Ok(self.answers_of(self.logits(x)?))
    }

    /// The same from the outputs of [`Model::logits`], from wherever they come.
    pub fn answers_of(&self, z: Array2<f64>) -> Array2<f64> {
        match &self.task {
            Task::Regression => in_units(z, self.prepared.as_ref().and_then(|input| input.target)),
            Task::Classification(_) => probabilities(z),
        }
    }

    /// The class of each row: the first of the largest logits, or of two classes with one output the second where that is not negative. The
    /// values of a regression are its [`Model::scores`].
    ///
    /// # Errors
    /// As for [`Model::logits`], and for a regression.
    pub fn predict(&self, x: &Array2<f64>) -> Result<Vec<usize>> {
        if self.task == Task::Regression {
            return Err(content("model", "task", self.task.name(), "classification"));
        }
        Ok(classes(&self.logits(x)?))
    }

    /// The share of the rows whose class is `labels`', 0 to 1.
    ///
    /// # Errors
    /// As for [`Model::predict`], and if there is not one label a row.
    pub fn accuracy(&self, x: &Array2<f64>, labels: &[usize]) -> Result<f64> {
        one_a_row(x, labels.len())?;
        let right = self.predict(x)?.iter().zip(labels).filter(|(a, b)| a == b).count();
        Ok(right as f64 / labels.len() as f64)
    }

    /// One number for each row: the one output, or the second logit less the first of two classes.
    ///
    /// # Errors
    /// As for [`Model::logits`], and for more than two classes.
    pub fn scores(&self, x: &Array2<f64>) -> Result<Vec<f64>> {
        let z = self.logits(x)?;
        match z.ncols() {
            1 => Ok(z.column(0).to_vec()),
            2 => Ok((&z.column(1) - &z.column(0)).to_vec()),
            classes => Err(content("model", "outputs to make a score of", classes, "1 or 2")),
        }
    }

    /// The mean of (value - y)^2 over the rows.
    ///
    /// # Errors
    /// As for [`Model::logits`], for a classification, and if there is not one `y` a row.
    pub fn mean_squared_error(&self, x: &Array2<f64>, y: &[f64]) -> Result<f64> {
        if self.task != Task::Regression {
            return Err(content("model", "task", self.task.name(), "regression"));
        }
        one_a_row(x, y.len())?;
        Ok(self.scores(x)?.iter().zip(y).map(|(z, y)| (z - y).powi(2)).sum::<f64>() / y.len() as f64)
    }

    /// The area under the ROC curve: the share of the pairs of a record of class 1 and one of class 0 in which the first has the
    /// higher score; ties count half.
    ///
    /// # Errors
    /// As for [`Model::scores`], unless the network has two classes and both occur, and if there is not one label a row.
    pub fn auc(&self, x: &Array2<f64>, labels: &[usize]) -> Result<f64> {
        if !matches!(&self.task, Task::Classification(names) if names.len() == 2) {
            return Err(content("model", "outputs", self.network(), "2 classes"));
        }
        one_a_row(x, labels.len())?;
        let mut records: Vec<(f64, bool)> = self.scores(x)?.into_iter().zip(labels.iter().map(|&l| l == 1)).collect();
        records.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Pairs won, in halves, going up through groups of equal scores.
        let (mut halves, mut below, mut positives) = (0u64, 0u64, 0u64);
        for group in records.chunk_by(|a, b| a.0 == b.0) {
            let up = group.iter().filter(|r| r.1).count() as u64;
            let down = group.len() as u64 - up;
            halves += up * (2 * below + down);
            (below, positives) = (below + down, positives + up);
        }
        if below == 0 || positives == 0 {
            return Err(content("model", "labels", format!("{positives} of class 1 and {below} others"), "both classes"));
        }
        Ok(halves as f64 / (2 * below * positives) as f64)
    }
}

fn one_a_row(x: &Array2<f64>, labels: usize) -> Result<()> {
    if labels == x.nrows() && labels > 0 {
        return Ok(());
    }
    Err(content("model", "labels", labels, format!("{}, at least 1", x.nrows().max(1))))
}
