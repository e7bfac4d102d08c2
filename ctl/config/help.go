package config

// helpWords explains keywords that several commands share, and arguments by "<name>".
var helpWords = map[string]string{}
