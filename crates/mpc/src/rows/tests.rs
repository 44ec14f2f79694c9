use super::*;

const SEED: [u8; 32] = [7; 32];
const WIDTH: usize = 11;

fn seed(chunk: u8) -> Key {
    Key::from_bytes([chunk; 32])
}

/// Two chunks of rows under seeds, or in words, and the words that they stand for.
fn chunks(seeds: bool) -> (Vec<Rows>, Vec<Vec<u64>>) {
    let chunk = |(i, rows): (u8, usize)| {
        let words = Prg::from_seed(&[i; 32]).words(rows * WIDTH);
        let dealt = if seeds { Rows::stream(seed(i), rows * WIDTH) } else { Rows::words(words.clone()) };
        (dealt.cut(WIDTH), words.chunks(WIDTH).map(<[u64]>::to_vec).collect::<Vec<_>>())
    };
    let all: Vec<_> = [(1, 150), (2, 7)].into_iter().map(chunk).collect();
    (all.iter().map(|(dealt, _)| dealt.clone()).collect(), all.into_iter().flat_map(|(_, words)| words).collect())
}

#[test]
fn a_stream_begins_anywhere() {
    let all = Prg::from_seed(&SEED).words(1500);
    let mut stream = Prg::from_seed(&SEED);
    for (at, n) in [(0, 1500), (1499, 1), (1, 700), (511, 3), (512, 0), (2, 2), (1000, 500)] {
        let mut out = vec![9; n];
        stream.words_from(at, &mut out);
        assert!(out == all[at..][..n], "{n} words from {at}");
    }
}

/// Whatever view is taken of what was dealt, each element is the word that it is in the whole.
#[test]
fn views_are_of_the_same_words() {
    for seeds in [false, true] {
        let (parts, words) = chunks(seeds);
        let mut x = Rows::default();
        parts.iter().for_each(|part| x.extend(part.clone()));
        assert!((x.count(), x.len()) == (157, 157 * WIDTH) && x.to_words() == words.concat());

        let rows = [156, 0, 149, 150, 3, 3];
        assert!(x.gather(&rows) == rows.map(|i| words[i].clone()).concat());
        assert!(x.range(140..153).to_words() == words[140..153].concat() && x.range(3..3).is_empty());
        let places = [4, 5, 6, 0, 10, 10];
        let of = |row: &Vec<u64>| places.map(|j| row[j]);
        assert!(x.columns(&places).to_words() == words.iter().flat_map(of).collect::<Vec<_>>());
        // Views of views.
        let narrow = x.range(100..155).columns(&places).columns(&[1, 2, 3]).range(50..55);
        assert!(narrow.to_words() == words[150..155].iter().flat_map(|row| [row[5], row[6], row[0]]).collect::<Vec<_>>());
        assert!(x.range(1..2).cut(1).to_words() == words[1] && x.columns(&[]).is_empty());
    }
}

/// Chunks that end at different rows, of owners of columns.
#[test]
fn side_by_side() {
    let (parts, words) = chunks(true);
    let (mut left, mut right) = (parts[0].clone(), parts[1].columns(&[2, 1]));
    left.extend(parts[1].clone());
    right.extend(parts[0].columns(&[2, 1]));
    let both = Rows::beside(&[&left, &right]);
    let swapped = [&words[150..], &words[..150]].concat();
    let row = |(a, b): (&Vec<u64>, &Vec<u64>)| [&a[..], &[b[2], b[1]]].concat();
    assert!(both.to_words() == words.iter().zip(&swapped).flat_map(row).collect::<Vec<_>>());
    let last = both.columns(&[12, 0]).gather(&[156, 7]);
    assert!(last == [swapped[156][1], words[156][0], swapped[7][1], words[7][0]]);
}

/// Views as they come to another machine, which are told from what is none.
#[test]
fn to_another_machine() {
    for seeds in [false, true] {
        let (parts, _) = chunks(seeds);
        let both = Rows::beside(&[&parts[0].range(3..9), &parts[1].range(0..6).columns(&[4, 2])]);
        for rows in [both.clone(), both.range(2..5), parts[0].range(140..150), Rows::default()] {
            let mut words = vec![];
            rows.pack(&mut words);
            assert!(!seeds || words.len() < 40);
            words.push(7);
            let mut left = &words[..];
            assert!(Rows::unpack(&mut left).unwrap().to_words() == rows.to_words() && left == [7]);
            assert!((0..words.len() - 1).all(|n| Rows::unpack(&mut &words[..n]).is_none()));
        }
        assert!(Rows::unpack(&mut &[2, 1, 1, 1, 0, 1, 0, 5][..]).is_none());
    }
}

#[test]
fn words_that_stand_in_memory_are_not_copied() {
    let words = vec![1, 2, 3, 4];
    let at = words.as_ptr();
    let found = Rows::words(words).cut(2).into_words().unwrap_or_default();
    assert!(found.as_ptr() == at && found == [1, 2, 3, 4]);
    let dealt = Rows::words(found);
    let kept = dealt.clone();
    assert!(dealt.into_words().is_err() && kept.columns(&[0, 1]).into_words().is_err());
    assert!(Rows::stream(seed(1), 4).into_words().is_err() && Rows::default().into_words().is_ok_and(|words| words.is_empty()));
}
