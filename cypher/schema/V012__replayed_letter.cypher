// Dead letters that were replayed.
CREATE CONSTRAINT replayed_letter IF NOT EXISTS FOR (l:ReplayedLetter) REQUIRE l.id IS UNIQUE
