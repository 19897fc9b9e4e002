"""ASVEncoder, SampleSequenceEncoder, SequenceEncoder and SequencePredictor."""
