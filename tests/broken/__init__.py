"""Wrong optimizers, each caught by one check of `trainstation.testing` and by no other."""

from broken import arithmetic, bookkeeping, interface

CAUGHT_BY = {
    "docstring": [interface.NoDocstring, interface.SummaryOfTwoLines, interface.ArgumentsWithoutDescription],
    "signature": [interface.ExtrasByPosition, interface.AnotherDefault],
    "unknown_keyword": [interface.SwallowsKeywords],
    "hyper_parameters_in_defaults": [interface.BetaOfTheInstance],
    "steps": [arithmetic.NotInPlace, arithmetic.WritesToItsGradient, arithmetic.ForgetsAState],
    "deterministic": [arithmetic.Noisy],
    "converges": [arithmetic.Uphill],
    "writes_no_gradient": [arithmetic.HalvesGradients],
    "odd_shapes": [arithmetic.LargestOfNone],
    "non_contiguous": [arithmetic.WritesToACopy],
    "double_precision": [arithmetic.SinglePrecision],
    "late_parameters": [bookkeeping.GlobalCounter],
    "missing_gradients": [bookkeeping.StepsWithoutGradient],
    "nonfinite_gradients": [bookkeeping.DecaysTooEarly, bookkeeping.NeverRefuses],
    "weight_decay": [bookkeeping.DecayOfDefaults, bookkeeping.NoDecay],
    "zero_learning_rate": [bookkeeping.DecayWithoutRate],
    "maximize": [bookkeeping.NegatesTwice],
    "state_dict_round_trip": [bookkeeping.LiveStateDict],
    "resume": [bookkeeping.StaleState, bookkeeping.HiddenState],
    "groups": [bookkeeping.RateOfTheFirstGroup, bookkeeping.BetaOfTheBeginning],
    "threads": [arithmetic.SharedScratch],
    "compiled_rule": [arithmetic.RuleOfAnother],
}
