// Everything in a domain, subdomains included
//
// domain   the domain's name
// returns  paths from each thing to the domain
//
// :param domain => "Sales"
MATCH path = (:Entity)-[:AssociatedWith]->(:Domain)-[:IsPartOf*0..5]->(:Domain {name: $domain})
RETURN path
