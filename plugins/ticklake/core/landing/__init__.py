"""Rules of landing: pure values, nobody is asked."""
