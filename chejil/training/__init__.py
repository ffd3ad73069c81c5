"""Training: plan what a run costs, pack token shards into rows, pretrain, export."""
