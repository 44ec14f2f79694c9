//! A matrix of a share: m, or a mask. It stands where it was made, or only says what it is made of until it is needed whole: what was dealt
//! as a seed is expanded row by row, and elements of another matrix are read where they are.

use crate::rows::Rows;
use std::sync::{Arc, OnceLock};
use trefoil_engine::Index;
use trefoil_ring::matrix::{Factor, Gathered};
use trefoil_ring::{Tensor, words};

/// m or a mask: whole, or as it was dealt, or elements of another. Of what was dealt rows and columns are taken without the rest; whole any becomes
/// where that is asked for.
pub(super) struct Matrix {
    shape: [usize; 2],
    made_of: Origin,
    whole: OnceLock<Tensor>,
}

/// What a matrix is made of when somebody needs it whole.
pub(super) enum Origin {
    /// It is whole.
    Itself,
    /// As it was dealt.
    Dealt(Rows),
    /// Elements of another.
    View(View),
}

/// Elements of another matrix, in other places in each block of `of` of them.
#[derive(Clone)]
pub(super) struct View {
    pub x: Arc<Matrix>,
    pub of: usize,
    pub at: Arc<[u32]>,
}

impl Matrix {
    pub fn whole(x: Tensor) -> Matrix {
        // Everything sent is read row by row.
        let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
        Matrix { shape: [x.nrows(), x.ncols()], made_of: Origin::Itself, whole: x.into() }
    }

    pub fn dealt(shape: [usize; 2], rows: Rows) -> Matrix {
        match rows.into_words() {
            Ok(words) => Matrix::whole(tensor(shape, words)),
            Err(rows) => Matrix { shape, made_of: Origin::Dealt(rows.cut(shape[1])), whole: OnceLock::new() },
        }
    }

    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    pub fn get(&self) -> &Tensor {
        self.whole.get_or_init(|| {
            let words = match &self.made_of {
                Origin::Itself => vec![],
                Origin::Dealt(rows) => rows.to_words(),
                Origin::View(view) => view.gathered(self.shape).to_words(),
            };
            tensor(self.shape, words)
        })
    }

    /// As a factor of a product, which need not be made whole for it.
    pub fn factor(&self) -> Factor<'_> {
        match self.origin() {
            Origin::View(view) => Factor::Gathered(view.gathered(self.shape)),
            _ => Factor::Whole(self.get()),
        }
    }

    /// What it is made of, if nobody has needed it whole.
    pub fn origin(&self) -> &Origin {
        if self.whole.get().is_none() { &self.made_of } else { &Origin::Itself }
    }

    /// As it was dealt, if nobody has needed it whole.
    fn rows(&self) -> Option<&Rows> {
        if let Origin::Dealt(rows) = self.origin() { Some(rows) } else { None }
    }

    pub fn gather(self: &Arc<Self>, index: Index<'_>) -> Matrix {
        let shape = index.shape(self.shape);
        match (self.origin(), index) {
            (Origin::Dealt(dealt), Index::Rows(rows)) => Matrix::whole(tensor(shape, dealt.gather(rows))),
            (Origin::Dealt(dealt), Index::Cols(columns)) => Matrix::dealt(shape, dealt.columns(columns)),
            (_, Index::Blocks { of, at, .. }) if u32::try_from(of).is_ok_and(|of| of > 0) => self.view(shape, of, places(at)),
            _ => Matrix::whole(index.of(self.get())),
        }
    }

    /// What a gather of blocks gives, without making it: a product reads it as it is, and of another gather only what is left is made.
    pub fn view(self: &Arc<Self>, shape: [usize; 2], of: usize, at: Arc<[u32]>) -> Matrix {
        let view = match self.origin() {
            Origin::View(view) if view.at.len() == of => {
                let at = at.iter().map(|at| view.at.get(*at as usize).copied().unwrap_or(u32::MAX)).collect();
                View { at, ..view.clone() }
            }
            _ => View { x: self.clone(), of, at },
        };
        view.matrix(shape)
    }

    /// A function of each two elements. Those that stand elsewhere are read where they are.
    pub fn zip(&self, other: &Matrix, f: impl Fn(u64, u64) -> u64 + Copy) -> Matrix {
        let [rows, columns] = self.shape;
        let (mut out, all) = (Vec::with_capacity(rows * columns), 0..columns);
        match (self.factor(), other.factor()) {
            (Factor::Whole(a), Factor::Whole(b)) => return Matrix::whole(words::zip(a, b, f)),
            (Factor::Gathered(a), Factor::Gathered(b)) => {
                (0..rows).for_each(|i| out.extend(a.row(i, all.clone()).zip(b.row(i, all.clone())).map(|(a, b)| f(a, b))));
            }
            (Factor::Gathered(a), Factor::Whole(b)) => {
                let b = elements(Some(b)).chunks_exact(columns.max(1));
                b.enumerate().for_each(|(i, b)| out.extend(a.row(i, all.clone()).zip(b).map(|(a, b)| f(a, *b))));
            }
            (Factor::Whole(a), Factor::Gathered(b)) => {
                let a = elements(Some(a)).chunks_exact(columns.max(1));
                a.enumerate().for_each(|(i, a)| out.extend(a.iter().zip(b.row(i, all.clone())).map(|(a, b)| f(*a, b))));
            }
        }
        Matrix::whole(tensor(self.shape, out))
    }

    /// Matrices of equal height side by side.
    pub fn beside(parts: &[&Matrix], shape: [usize; 2]) -> Matrix {
        match parts.iter().map(|x| x.rows()).collect::<Option<Vec<&Rows>>>() {
            Some(dealt) => Matrix::dealt(shape, Rows::beside(&dealt)),
            None => Matrix::whole(side_by_side(&parts.iter().map(|x| x.get()).collect::<Vec<_>>(), shape)),
        }
    }
}

impl View {
    fn gathered(&self, [_, columns]: [usize; 2]) -> Gathered<'_> {
        Gathered { x: elements(Some(self.x.get())), of: self.of, at: &self.at, columns }
    }

    /// Of this shape, as a matrix.
    pub fn matrix(self, shape: [usize; 2]) -> Matrix {
        Matrix { shape, made_of: Origin::View(self), whole: OnceLock::new() }
    }
}

/// The places of a gather of blocks. One beyond all blocks' ends stays beyond them.
pub(super) fn places(at: &[usize]) -> Arc<[u32]> {
    at.iter().map(|at| u32::try_from(*at).unwrap_or(u32::MAX)).collect()
}

/// Matrices of equal height side by side, row by row.
pub(super) fn side_by_side(parts: &[&Tensor], shape: [usize; 2]) -> Tensor {
    let mut out = Vec::with_capacity(shape[0] * shape[1]);
    for i in 0..shape[0] {
        parts.iter().for_each(|x| out.extend(x.row(i).iter()));
    }
    tensor(shape, out)
}

/// A matrix from its elements, row by row.
pub(crate) fn tensor(shape: [usize; 2], x: Vec<u64>) -> Tensor {
    Tensor::from_shape_vec((shape[0], shape[1]), x).unwrap_or_else(|_| Tensor::zeros((shape[0], shape[1])))
}

/// The elements, row by row.
pub(crate) fn elements(x: Option<&Tensor>) -> &[u64] {
    x.and_then(|x| x.as_slice()).unwrap_or(&[])
}
