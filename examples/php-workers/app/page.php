<?php
function page(array $entries, int $requests): string
{
    return count($entries) . ' entries after ' . $requests . ' requests';
}
