-- additive: yes
--
-- Profiles are read with the configuration; what processes know of users need not end when one changes.

DROP TRIGGER user_profiles_changed ON user_profiles;
CREATE TRIGGER user_profiles_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_profiles
    FOR EACH STATEMENT EXECUTE FUNCTION generation_bump('config');
