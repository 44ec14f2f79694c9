//! ReLU after max-pooling in place of before it: the same numbers, and a quarter of the comparisons where windows are 2 by 2.

use super::{Graph, Kind, RECORD};
use crate::Result;

impl Graph {
    /// The same network, in which a ReLU whose output goes to a max-pooling alone comes after it.
    ///
    /// The largest of max(x, 0) is the larger of 0 and the largest x, and the gradient goes the same way: to the first of the largest where
    /// that is above 0, and nowhere where all are below. The two orders differ in windows whose largest is exactly 0 alone: this one lets the
    /// gradient through, as ReLU does at 0 here, and the other one may lose it. Nodes keep their names, so parameters and costs are called as before.
    ///
    /// # Errors
    /// As for [`Graph::sources`].
    pub fn with_relu_last(&self) -> Result<Graph> {
        let (names, sources) = (self.names(), self.sources()?);
        let pairs = (0..self.nodes.len()).filter_map(|pool| {
            let [Some(relu)] = sources[pool][..] else { return None };
            let uses = sources.iter().flatten().filter(|source| **source == Some(relu)).count();
            let fits = matches!((&self.nodes[relu].op, &self.nodes[pool].op), (Kind::Relu, Kind::MaxPool2d(_)));
            (fits && uses == 1).then_some([relu, pool])
        });
        let pairs: Vec<[usize; 2]> = pairs.collect();
        if pairs.is_empty() {
            return Ok(self.clone());
        }
        // Default names are numbers of a kind, and a default input is the node before: both follow the order, and so are written out.
        let mut graph = self.clone();
        for ((node, name), sources) in graph.nodes.iter_mut().zip(&names).zip(&sources) {
            node.name = Some(name.clone());
            node.from = sources.iter().map(|i| i.map_or(RECORD, |i| &names[i]).to_owned()).collect();
        }
        for [relu, pool] in pairs {
            // Each takes the other's place, and whoever took the pooling's output takes the ReLU's.
            let later = graph.nodes.iter_mut().skip(pool + 1).flat_map(|node| &mut node.from);
            later.filter(|from| **from == names[pool]).for_each(|from| from.clone_from(&names[relu]));
            let before = std::mem::replace(&mut graph.nodes[relu].from, vec![names[pool].clone()]);
            graph.nodes[pool].from = before;
            graph.nodes.swap(relu, pool);
        }
        Ok(graph)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    /// Two such pairs, with a node between the halves of one, and what is behind a pooling used twice.
    #[test]
    fn relu_comes_after_the_pooling_under_its_own_name() {
        let text = r#"{"input": [1, 8, 8], "nodes": [{"op": {"conv2d": {"filters": 2, "kernel": 3}}}, {"op": "relu"}, {"op": {"conv2d":
            {"filters": 2, "kernel": 3}}, "from": "input"}, {"op": "relu"}, {"op": {"maxpool2d": {"kernel": 2}}, "from": "relu1"},
            {"op": {"maxpool2d": {"kernel": 2}}, "from": "relu2"}, {"op": "add", "from": ["pool1", "pool2"]}, {"op": {"linear": {"outputs": 2}}}]}"#;
        let graph: Graph = serde_json::from_str(text).unwrap();
        let other = graph.with_relu_last().unwrap();
        other.check().unwrap();
        assert_eq!(other.names(), ["conv1", "pool1", "conv2", "pool2", "relu1", "relu2", "add1", "fc1"]);
        let sources: Vec<Vec<Option<usize>>> = vec![
            vec![None],
            vec![Some(0)],
            vec![None],
            vec![Some(2)],
            vec![Some(1)],
            vec![Some(3)],
            vec![Some(4), Some(5)],
            vec![Some(6)],
        ];
        assert_eq!(other.sources().unwrap(), sources);
        assert_eq!(other.params().unwrap(), graph.params().unwrap());
        assert_eq!(other.with_relu_last().unwrap(), other);
        assert_eq!(Network::new(graph).unwrap().graph(), &other);
    }

    #[test]
    fn what_uses_the_relu_too_keeps_it_where_it_is() {
        let text = r#"{"input": [1, 4, 4], "nodes": [{"op": "relu"}, {"op": {"maxpool2d": {"kernel": 1}}}, {"op": "add", "from": ["pool1", "relu1"]},
            {"op": {"linear": {"outputs": 2}}}]}"#;
        let graph: Graph = serde_json::from_str(text).unwrap();
        assert_eq!(graph.with_relu_last().unwrap(), graph);
        let lenet: Graph = "lenet".parse().unwrap();
        assert_eq!(lenet.with_relu_last().unwrap(), lenet);
    }
}
