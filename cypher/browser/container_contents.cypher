// Everything in a database or schema
//
// container  the container's name
// returns    paths from each dataset up to the container
//
// :param container => "RETAIL"
MATCH path = (:Entity)-[:IsPartOf*1..5 {aspect: "container"}]->(:Container {name: $container})
RETURN path
