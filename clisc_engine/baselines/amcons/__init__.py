"""AMCons: an autoencoder's mean activation, spread over normal slices by its entropy."""
