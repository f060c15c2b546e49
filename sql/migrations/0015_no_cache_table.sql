-- additive: yes
--
-- What call nodes keep stands in the memory of each process or in Redis (setting cache.store); no
-- program ever read or wrote this table.

DROP TABLE cache_entries;
